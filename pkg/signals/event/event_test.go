package event

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func refusal(status int) error {
	return &apiserver.StatusError{Status: status, Err: errors.New("refused")}
}

// script answers for the API server, whose own judgement of an Event is tested on the real one, in test/integration.
type script struct {
	fault   error
	faultOf map[string]error // by method, in place of fault
	uid     string
	sent    []string
	last    []byte
}

func (s *script) Send(_ context.Context, method, path string, body []byte) ([]byte, error) {
	var event struct{ Message string }
	if method == "POST" {
		s.last = body
		_ = json.Unmarshal(body, &event)
	}
	s.sent = append(s.sent, strings.TrimSpace(method+" "+path+" "+event.Message))
	if s.faultOf[method] != nil {
		return nil, s.faultOf[method]
	}
	if s.fault != nil {
		return nil, s.fault
	}
	return []byte(`{"metadata":{"uid":"` + s.uid + `","resourceVersion":"9","name":"x"}}`), nil
}

const (
	get    = "GET /apis/coordination.k8s.io/v1/namespaces/default/leases/acme-752b7817f6"
	began  = "POST /api/v1/namespaces/default/events web-5d9_id became leader"
	ending = "POST /api/v1/namespaces/default/events web-5d9_id stopped leading"
)

func known(c *clocktest.Hand, token string) leadership.Leadership {
	if token == "" {
		return leadershiptest.Standby("")
	}
	return leadershiptest.Leading(c, token)
}

func newSignal() (*Signal, *script, *clocktest.Hand, *bytes.Buffer) {
	api, c, log := &script{uid: "lease-uid"}, clocktest.NewHand(), &bytes.Buffer{}
	return New(Config{API: api, Host: "node-1", Clock: c, Log: slog.New(slog.NewTextHandler(log, nil))}), api, c, log
}

func TestTransitionsAreRecorded(t *testing.T) {
	s, api, c, _ := newSignal()
	for _, token := range []string{"", "", "48", "48", "50", "", ""} {
		if err := s.Apply(t.Context(), known(c, token)); err != nil {
			t.Errorf("Apply: %v", err)
		}
	}
	want := []string{get, began, get, began, ending}
	if diff := cmp.Diff(want, api.sent); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	const event = `{"kind":"Event","apiVersion":"v1","metadata":{"name":"acme-752b7817f6.18ea55ac4e7b4000","namespace":"default"},` +
		`"involvedObject":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","namespace":"default","name":"acme-752b7817f6","uid":"lease-uid","resourceVersion":"9"},` +
		`"reason":"LeaderElection","message":"web-5d9_id stopped leading","source":{"component":"lease-sidecar","host":"node-1"},` +
		`"firstTimestamp":"2026-11-22T10:00:00Z","lastTimestamp":"2026-11-22T10:00:00Z","count":1,"type":"Normal","reportingComponent":"lease-sidecar"}`
	if diff := cmp.Diff(event, string(api.last)); diff != "" {
		t.Errorf("Event (-want +got):\n%s", diff)
	}
}

// A term that goes on after a restart has one beginning and one end, though its token changes.
func TestResumedTerm(t *testing.T) {
	for name, tc := range map[string]struct{ tokens, want []string }{
		"led on":     {[]string{"50", "50", ""}, []string{get, ending}},
		"lost":       {[]string{"", "50"}, []string{get, ending, get, began}},
		"a new term": {[]string{"50", "52", ""}, []string{get, began, ending}},
	} {
		t.Run(name, func(t *testing.T) {
			s, api, c, _ := newSignal()
			s.Resume(known(c, "48"))
			for _, token := range tc.tokens {
				if err := s.Apply(t.Context(), known(c, token)); err != nil {
					t.Errorf("Apply: %v", err)
				}
			}
			if diff := cmp.Diff(tc.want, api.sent); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// A refusal is final; what may pass is tried for a minute. Either way the end of the term is recorded for itself.
func TestBestEffort(t *testing.T) {
	tests := map[string]struct {
		fault error
		tries int // within a minute, one a second, the last at its end
	}{
		"forbidden":   {refusal(403), 1},
		"no Lease":    {refusal(404), 1},
		"too many":    {refusal(429), 61},
		"unavailable": {refusal(503), 61},
		"no answer":   {errors.New("no route"), 61},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, api, c, log := newSignal()
			api.fault = tc.fault
			for range 120 {
				_ = s.Apply(t.Context(), known(c, "48"))
				c.Advance(time.Second)
			}
			if len(api.sent) != tc.tries {
				t.Errorf("%d attempts, want %d", len(api.sent), tc.tries)
			}
			if got := strings.Count(log.String(), "event given up"); got != 1 {
				t.Errorf("the log says %d times that an event was given up, want once:\n%s", got, log)
			}
			api.fault, api.sent = nil, nil
			if err := s.Apply(t.Context(), known(c, "")); err != nil {
				t.Errorf("Apply: %v", err)
			}
			if diff := cmp.Diff([]string{get, ending}, api.sent); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// An attempt that was not answered may have been carried out. So a term that ended meanwhile has its end recorded, too, and the
// other attempt, which finds the Event there, is no fault.
func TestUnansweredAttempts(t *testing.T) {
	for name, tc := range map[string]struct {
		after string // the token at the next attempt
		fault error  // of that attempt
		want  []string
	}{
		"the term goes on":                {after: "48", want: []string{get, began}},
		"the term goes on, it was stored": {after: "48", fault: refusal(409), want: []string{get, began}},
		"the term has ended":              {after: "", want: []string{ending}},
		"another term":                    {after: "50", want: []string{get, began}},
	} {
		t.Run(name, func(t *testing.T) {
			s, api, c, log := newSignal()
			api.faultOf = map[string]error{"POST": context.DeadlineExceeded}
			if err := s.Apply(t.Context(), known(c, "48")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Apply returned %v, want the fault", err)
			}
			first := api.last
			api.sent, api.faultOf = nil, map[string]error{"POST": tc.fault}
			c.Advance(time.Second)
			for range 2 {
				if err := s.Apply(t.Context(), known(c, tc.after)); err != nil {
					t.Errorf("Apply: %v", err)
				}
			}
			if diff := cmp.Diff(tc.want, api.sent); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if same := bytes.Equal(first, api.last); same != (tc.after == "48") {
				t.Errorf("the other attempt has the same Event: %v:\n%s\n%s", same, first, api.last)
			}
			if log.Len() != 0 {
				t.Errorf("logged:\n%s", log)
			}
		})
	}
}

// Warnings are recorded in their order while Run runs, and those that wait at its end; a ninth that waits is given up.
func TestWarnings(t *testing.T) {
	s, api, c, log := newSignal()
	s.Warn(known(c, "48"), "DrainAbandoned", "web-5d9_id gave up")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if diff := cmp.Diff([]string{get, "POST /api/v1/namespaces/default/events web-5d9_id gave up"}, api.sent); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, want := range []string{`"type":"Warning"`, `"reason":"DrainAbandoned"`} {
		if !strings.Contains(string(api.last), want) {
			t.Errorf("Event %s, want it to say %s", api.last, want)
		}
	}
	api.fault = refusal(403)
	for range queued + 1 {
		s.Warn(known(c, ""), "DrainAbandoned", "one of many")
	}
	s.Run(ctx)
	if got := strings.Count(log.String(), "event given up"); got != queued+1 {
		t.Errorf("the log says %d times that an event was given up, want %d:\n%s", got, queued+1, log)
	}
	if !strings.Contains(log.String(), "too many Events wait") {
		t.Errorf("the log does not say that too many wait:\n%s", log)
	}
}
