package event

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock stands still unless it is set.
type clock struct{ now bootclock.Instant }

func (c *clock) Now() bootclock.Instant { return c.now }
func (c *clock) Wall() time.Time        { return time.Unix(1_800_000_000, int64(c.now)).UTC() }

// NewTimer returns a timer that looks at this clock.
func (c *clock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

type refusal int

func (r refusal) Error() string   { return fmt.Sprintf("refused with %d", int(r)) }
func (r refusal) HTTPStatus() int { return int(r) }

// script answers for the API server, whose own judgement of an Event is tested on the real one, in test/integration.
type script struct {
	fault error
	uid   string
	sent  []string
	last  []byte
}

func (s *script) Send(_ context.Context, method, path string, body []byte) ([]byte, error) {
	var event struct{ Message string }
	if method == "POST" {
		s.last = body
		_ = json.Unmarshal(body, &event)
	}
	s.sent = append(s.sent, strings.TrimSpace(method+" "+path+" "+event.Message))
	if s.fault != nil {
		return nil, s.fault
	}
	return []byte(`{"metadata":{"uid":"` + s.uid + `","resourceVersion":"9","name":"x"}}`), nil
}

const (
	get    = "GET /apis/coordination.k8s.io/v1/namespaces/default/leases/acme-1"
	began  = "POST /api/v1/namespaces/default/events web-0_x became leader"
	ending = "POST /api/v1/namespaces/default/events web-0_x stopped leading"
)

func level(c *clock, token string) leadership.Leadership {
	l := leadership.Leadership{Lease: "acme-1", Namespace: "default", Identity: "web-0_x"}
	if token != "" {
		l.IsLeader, l.Token, l.ValidUntil = true, token, c.now.Add(10*time.Second)
	}
	return l
}

func newSignal() (*Signal, *script, *clock, *bytes.Buffer) {
	api, c, log := &script{uid: "lease-uid"}, &clock{now: 1}, &bytes.Buffer{}
	return New(Config{API: api, Host: "node-1", Clock: c, Log: slog.New(slog.NewTextHandler(log, nil))}), api, c, log
}

func TestTransitionsAreRecorded(t *testing.T) {
	s, api, c, _ := newSignal()
	for _, token := range []string{"", "", "48", "48", "50", "", ""} {
		if err := s.Apply(t.Context(), level(c, token)); err != nil {
			t.Errorf("Apply: %v", err)
		}
	}
	want := []string{get, began, get, began, ending}
	if diff := cmp.Diff(want, api.sent); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	const event = `{"kind":"Event","apiVersion":"v1","metadata":{"name":"acme-1.18fae27693b40001","namespace":"default"},` +
		`"involvedObject":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","namespace":"default","name":"acme-1","uid":"lease-uid","resourceVersion":"9"},` +
		`"reason":"LeaderElection","message":"web-0_x stopped leading","source":{"component":"lease-sidecar","host":"node-1"},` +
		`"firstTimestamp":"2027-01-15T08:00:00Z","lastTimestamp":"2027-01-15T08:00:00Z","count":1,"type":"Normal","reportingComponent":"lease-sidecar"}`
	if diff := cmp.Diff(event, string(api.last)); diff != "" {
		t.Errorf("Event (-want +got):\n%s", diff)
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
				_ = s.Apply(t.Context(), level(c, "48"))
				c.now = c.now.Add(time.Second)
			}
			if len(api.sent) != tc.tries {
				t.Errorf("%d attempts, want %d", len(api.sent), tc.tries)
			}
			if got := strings.Count(log.String(), "event given up"); got != 1 {
				t.Errorf("the log says %d times that an event was given up, want once:\n%s", got, log)
			}
			api.fault, api.sent = nil, nil
			if err := s.Apply(t.Context(), level(c, "")); err != nil {
				t.Errorf("Apply: %v", err)
			}
			if diff := cmp.Diff([]string{get, ending}, api.sent); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}
