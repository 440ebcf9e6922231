//go:build linux

package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// receiver is a workload that is notified by webhook.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	received []leadership.Leadership // each with Observed as the instant of its arrival
	hold     chan struct{}           // while not nil, "not leading" is answered only once it is closed
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var l leadership.Leadership
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender was killed
		}
		if err := json.Unmarshal(body, &l); err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %q: %s (%v)", req.Method, req.Header.Get("Content-Type"), body, err)
		}
		l.Observed = now()
		r.mu.Lock()
		hold := r.hold
		r.received = append(r.received, l)
		r.mu.Unlock()
		if hold != nil && !l.IsLeader {
			select {
			case <-hold:
			case <-req.Context().Done():
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// last returns the newest document; the zero value before the first.
func (r *receiver) last() leadership.Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.received) == 0 {
		return leadership.Leadership{}
	}
	return r.received[len(r.received)-1]
}

func (r *receiver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.received)
}

// lostAt returns when the receiver heard of the end of the first term; 0: not yet.
func (r *receiver) lostAt() bootclock.Instant {
	r.mu.Lock()
	defer r.mu.Unlock()
	led := false
	for _, l := range r.received {
		if led && !l.IsLeader {
			return l.Observed
		}
		led = led || l.IsLeader
	}
	return 0
}

// TestWebhook shows that a workload is notified of each transition by POST, and of no renewal.
func TestWebhook(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Ship(t)
	r := newReceiver(t)
	s := e.Prepare(t, "web-0")
	s.Args = append(s.Args, "--webhook-url", r.URL+"/leadership")
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	_, token := s.Leads()
	harness.Eventually(t, slack, "the workload hears of the term", func() bool { return r.last().IsLeader && r.last().Token == token })
	awaitRenewal(t, s)
	awaitRenewal(t, s)
	// One for the start, one for the Lease as it was found, one for the term.
	if got, calls := r.last(), r.calls(); !got.IsLeader || calls > 3 {
		t.Errorf("after two renewals there were %d calls, the last %+v; want none for renewals", calls, got)
	}
	s.Terminate(t)
	if r.last().IsLeader {
		t.Errorf("after the end the workload last heard %+v, want not leading", r.last())
	}
}

// TestWebhookIsWaitedFor shows that the Lease is not released before a workload on loopback has answered that it knows,
// and that it is once the workload is gone.
func TestWebhookIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.Flags = []string{"--drain-timeout", "1ms", "--webhook-timeout", "30s"}
	e.Ship(t)
	r := newReceiver(t)
	s := e.Prepare(t, "web-0")
	s.Args = append(s.Args, "--webhook-url", r.URL)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	harness.Eventually(t, slack, "the workload hears of the term", func() bool { return r.last().IsLeader })
	hold := make(chan struct{})
	r.mu.Lock()
	r.hold = hold
	r.mu.Unlock()
	heir := e.Start(t, "web-1")
	s.Post("/step-down")
	harness.Eventually(t, slack, "the workload hears of the loss", func() bool { return !r.last().IsLeader })
	harness.Throughout(t, 2*time.Second, "the Lease is held until the workload has answered", func() bool {
		leads, _ := heir.Leads()
		return !leads && e.Holder(t) != ""
	})
	close(hold)
	harness.AwaitLeader(t, slack, heir)

	t.Log("the workload is gone")
	harness.Eventually(t, 2*slack, "the first leads again", func() bool {
		heir.Post("/step-down")
		leads, _ := s.Leads()
		return leads
	})
	r.Close()
	stopped := now()
	s.Terminate(t)
	if took := now().Sub(stopped); took > 15*time.Second { // the webhook's timeout is 30 s
		t.Errorf("with the workload gone the handover took %v, want at once", took)
	}
}
