package podstatus

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
)

const (
	deleted = `"uid":"u","deletionTimestamp":"2026-11-25T10:00:00Z"`
	spec    = `"spec":{"containers":[{"name":"web"},{"name":"log"}],"initContainers":[{"name":"setup"},{"name":"lease-sidecar","restartPolicy":"Always"}]}`
	over    = `"state":{"terminated":{"exitCode":0}}`
	works   = `"state":{"running":{}}`
)

func TestRead(t *testing.T) {
	p := New(Config{Pod: "web-0", UID: "u", Container: "lease-sidecar"})
	both := func(web, log string) string {
		return `,"status":{"initContainerStatuses":[{"name":"lease-sidecar",` + works + `}],"containerStatuses":[{"name":"web",` + web + `},{"name":"log",` + log + `}]}}`
	}
	for name, tc := range map[string]struct {
		pod   string
		want  finding
		fault string
	}{
		"it lives":               {pod: `{"metadata":{"uid":"u"},` + spec + both(over, over), want: nothing},
		"one runs":               {pod: `{"metadata":{` + deleted + `},` + spec + both(over, works), want: ending},
		"all have terminated":    {pod: `{"metadata":{` + deleted + `},` + spec + both(over, over), want: finished},
		"no status":              {pod: `{"metadata":{` + deleted + `},` + spec + `}`, want: ending},
		"one without a status":   {pod: `{"metadata":{` + deleted + `},` + spec + `,"status":{"containerStatuses":[{"name":"web",` + over + `}]}}`, want: ending},
		"it is restarted":        {pod: `{"metadata":{` + deleted + `},` + spec + both(over, `"state":{"waiting":{}}`), want: ending},
		"a namesake":             {pod: `{"metadata":{"uid":"other","deletionTimestamp":"x"},` + spec + both(over, over), fault: "namesake"},
		"the wrong container":    {pod: `{"metadata":{` + deleted + `},"spec":{"containers":[{"name":"web"}]}}`, fault: "want the name of the sidecar's own container"},
		"nothing but ours":       {pod: `{"metadata":{` + deleted + `},"spec":{"containers":[{"name":"lease-sidecar"}]}}`, want: ending},
		"another native sidecar": {pod: `{"metadata":{` + deleted + `},"spec":{"containers":[{"name":"lease-sidecar"}],"initContainers":[{"name":"proxy","restartPolicy":"Always"}]},"status":{"initContainerStatuses":[{"name":"proxy",` + works + `}]}}`, want: ending},
		"half an answer":         {pod: `{"metadata":`, fault: "read pod web-0"},
	} {
		got, err := p.read([]byte(tc.pod))
		if got != tc.want || (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, tc.want)
		}
	}
}

// script is an API whose answers a test sets.
type script struct {
	mu     sync.Mutex
	answer string
	err    error
	asked  int
}

func (s *script) Send(context.Context, string, string, []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return []byte(s.answer), s.err
}

func (s *script) set(answer string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.err = answer, err
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// It asks only while somebody watches, less and less often, and knows nothing where it gets no answer.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: `{"metadata":{` + deleted + `},` + spec + `}`}
		p := New(Config{API: api, Clock: clocktest.Bubble{}, Pod: "web-0", UID: "u", Container: "lease-sidecar", Log: slog.New(slog.DiscardHandler)})
		wants := func(living, podEnds sight.State) {
			t.Helper()
			if a, b := p.State(false), p.State(true); a != living || b != podEnds {
				t.Errorf("got %s, and %s when the pod ends; want %s and %s", a, b, living, podEnds)
			}
		}
		wants(sight.Unknown, sight.Unknown)
		ctx, cancel := context.WithCancel(t.Context())
		changes := make(chan struct{}, 10)
		var watching sync.WaitGroup
		watching.Go(func() { p.Watch(ctx, func() { changes <- struct{}{} }) })
		<-changes
		wants(sight.Unknown, sight.Running)
		time.Sleep(time.Minute)
		if asked := api.count(); asked > 64 {
			t.Errorf("asked %d times in a minute", asked)
		}
		api.set("", errors.New("away"))
		<-changes
		wants(sight.Unknown, sight.Unknown)
		api.set(`{"metadata":{`+deleted+`},`+spec+`,"status":{"containerStatuses":[{"name":"web",`+over+`},{"name":"log",`+over+`}]}}`, nil)
		<-changes
		wants(sight.Stopped, sight.Stopped)
		cancel()
		watching.Wait()
		wants(sight.Unknown, sight.Unknown)
	})
}
