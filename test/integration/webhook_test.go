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

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// receiver is a workload that is told by webhook.
type receiver struct {
	*httptest.Server

	mu   sync.Mutex
	told []leadership.Leadership
	hold chan struct{} // while not nil, "not leading" is answered only once it is closed
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var l leadership.Leadership
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = json.Unmarshal(body, &l)
		}
		if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %q: %s (%v)", req.Method, req.Header.Get("Content-Type"), body, err)
		}
		r.mu.Lock()
		hold := r.hold
		r.told = append(r.told, l)
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

func (r *receiver) last() leadership.Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.told) == 0 {
		return leadership.Leadership{}
	}
	return r.told[len(r.told)-1]
}

func (r *receiver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

// TestWebhook shows that a workload is told each transition by POST, and no renewal.
func TestWebhook(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Ship(t)
	r := newReceiver(t)
	s := e.Prepare(t, "web-0")
	s.Args = append(s.Args, "--webhook-url", r.URL+"/leadership")
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	_, token := s.Told()
	harness.Eventually(t, slack, "the workload is told the term", func() bool { return r.last().IsLeader && r.last().Token == token })
	awaitRenewal(t, s)
	awaitRenewal(t, s)
	// One for the start, one for the Lease as it was found, one for the term.
	if got, calls := r.last(), r.calls(); !got.IsLeader || calls > 3 {
		t.Errorf("after two renewals there were %d calls, the last %+v; want none for renewals", calls, got)
	}
	s.Terminate(t)
	if r.last().IsLeader {
		t.Errorf("after the end the workload was last told %+v, want not leading", r.last())
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
	harness.Eventually(t, slack, "the workload is told the term", func() bool { return r.last().IsLeader })
	hold := make(chan struct{})
	r.mu.Lock()
	r.hold = hold
	r.mu.Unlock()
	heir := e.Start(t, "web-1")
	s.Post("/step-down")
	harness.Eventually(t, slack, "the workload is told the loss", func() bool { return !r.last().IsLeader })
	harness.Throughout(t, 2*time.Second, "the Lease is held until the workload has answered", func() bool {
		told, _ := heir.Told()
		return !told && e.Holder(t) != ""
	})
	close(hold)
	harness.AwaitLeader(t, 3*time.Second, heir)

	t.Log("the workload is gone")
	harness.Eventually(t, 10*time.Second, "the first leads again", func() bool {
		heir.Post("/step-down")
		told, _ := s.Told()
		return told
	})
	r.Close()
	stopped := now()
	s.Terminate(t)
	if took := now().Sub(stopped); took > 5*time.Second {
		t.Errorf("with the workload gone the handover took %v, want at once", took)
	}
}
