//go:build linux

package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// replica is a whole candidate in a bubble, except for its sockets: elector, signals, HTTP API.
type replica struct {
	elector *elector.Elector
	api     http.Handler
	dir     string
	end     context.CancelFunc // as SIGTERM
	ended   chan struct{}      // closed when the elector has ended
}

// start runs a candidate until the test ends.
func start(t *testing.T, backend *memory.Backend, name string) *replica {
	t.Helper()
	r := &replica{dir: t.TempDir(), ended: make(chan struct{})}
	clock := clocktest.Bubble{}
	file, err := file.New(r.dir, clock, quiet)
	if err != nil {
		t.Fatal(err)
	}
	feed := NewFeed(clock)
	fanOut := signals.NewFanOut(quiet, clock, nil, signals.Output{Signal: file}, signals.Output{Signal: feed})
	waiter := stopwait.New(stopwait.Config{Clock: clock, Applied: fanOut.WaitApplied, StopTimeout: 30 * time.Second, Log: quiet})
	config := elector.Default()
	config.Lease, config.Namespace = "acme-1", "default"
	config.Identity = naming.Identity(name + "_00000000-0000-4000-8000-000000000000")
	r.elector, err = elector.New(config, elector.Deps{
		Store: backend.Store("default", "acme-1"), Clock: clock, BootID: "boot",
	})
	if err != nil {
		t.Fatal(err)
	}
	r.api = NewWorkloadHandler(WorkloadConfig{
		Election: r.elector, Clock: clock, Feed: feed, Drained: waiter.Drained, Quit: func() { r.end() }, AllowStepDown: true,
	})
	var ctx context.Context
	ctx, r.end = context.WithCancel(t.Context())
	signalling, endSignalling := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { fanOut.Run(signalling) })
	running.Go(func() {
		defer close(r.ended)
		err := r.elector.Run(ctx, elector.Outputs{
			Publish:  func(l leadership.Leadership) { waiter.Observe(l); fanOut.Publish(l) },
			StopWait: waiter.Wait,
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		r.end()
		<-r.ended
		endSignalling()
		running.Wait()
		_ = file.Close()
	})
	return r
}

func (r *replica) ask(t *testing.T, method, path string) int {
	t.Helper()
	return ask(t, r.api, method, path).Code
}

// sees returns what the replica's workload can see: the answer of /leader, and whether there is a leader file.
func (r *replica) sees(t *testing.T) string {
	t.Helper()
	answer := http.StatusText(r.ask(t, "GET", "/leader"))
	if _, err := os.Stat(filepath.Join(r.dir, leadership.LeaderFile)); err != nil {
		return answer + ", no file"
	}
	return answer + ", file"
}

const (
	ledBy    = "OK, file"
	notLedBy = "Service Unavailable, no file"
)

// waitFor lets the bubble's time run until the replica's workload sees that.
func (r *replica) waitFor(t *testing.T, want string, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		synctest.Wait()
		got := r.sees(t)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s the workload sees %q, want %q", within, got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// released reports whether the Lease has no holder.
func released(backend *memory.Backend) bool {
	holder := backend.Read("default", "acme-1").Spec.HolderIdentity
	return holder == nil || *holder == ""
}

// TestElectionOverHTTP drives a real election by its HTTP API: an order to step down, a report of the stop, and the handover
// that follows. No two workloads see that they lead, and the Lease is released last. 202 means that the elector has taken the
// order, whatever the health check says at the same time.
func TestElectionOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := memory.New()
		a := start(t, backend, "web-a")
		a.waitFor(t, ledBy, time.Minute)
		b := start(t, backend, "web-b")
		time.Sleep(5 * time.Second)
		if got := b.sees(t); got != notLedBy {
			t.Fatalf("the standby's workload sees %q", got)
		}
		if got := b.ask(t, "POST", "/step-down"); got != 409 {
			t.Errorf("step-down of the standby: %d, want 409", got)
		}
		if got := a.ask(t, "POST", "/drained"); got != 409 {
			t.Errorf("drained while leading: %d, want 409", got)
		}

		for range 1000 { // health checks come often, and must not crowd the order out
			a.elector.SetHealthy(true, "well")
		}
		if got := a.ask(t, "POST", "/step-down"); got != 202 {
			t.Fatalf("step-down of the leader: %d, want 202", got)
		}
		a.elector.SetHealthy(true, "well")
		a.waitFor(t, notLedBy, 10*time.Millisecond)
		if got := a.ask(t, "POST", "/step-down"); got != 409 {
			t.Errorf("step-down in the drain: %d, want 409", got)
		}
		time.Sleep(2 * time.Second)
		if released(backend) {
			t.Fatal("the Lease was released before the workload had stopped")
		}
		if got := a.ask(t, "POST", "/drained"); got != 202 {
			t.Fatalf("drained in the drain: %d, want 202", got)
		}
		b.waitFor(t, ledBy, 100*time.Millisecond)
		if got := a.sees(t); got != notLedBy {
			t.Errorf("the old leader's workload sees %q", got)
		}
		if got := a.ask(t, "POST", "/drained"); got != 409 {
			t.Errorf("drained after the drain: %d, want 409", got)
		}
	})
}

// TestUnreportedStopWaitsForValidUntil: nobody says that the work has stopped, and a signal to the sidecar does not show it, so
// without a sight the last validUntil that it got decides. An order to an election that has ended is refused.
func TestUnreportedStopWaitsForValidUntil(t *testing.T) {
	stepDown := func(t *testing.T, r *replica) {
		if got := r.ask(t, "POST", "/step-down"); got != 202 {
			t.Fatalf("step-down: %d, want 202", got)
		}
	}
	for _, c := range []struct {
		name  string
		order func(t *testing.T, r *replica)
	}{
		{"step-down", stepDown},
		{"SIGTERM", func(_ *testing.T, r *replica) { r.end() }},
		{"quit", func(t *testing.T, r *replica) { r.ask(t, "POST", "/quitquitquit") }},
		{"SIGTERM in a drain", func(t *testing.T, r *replica) {
			stepDown(t, r)
			time.Sleep(time.Second)
			r.end()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := memory.New()
				a := start(t, backend, "web-a")
				a.waitFor(t, ledBy, time.Minute)
				b := start(t, backend, "web-b")
				time.Sleep(5 * time.Second)
				until := a.elector.Leadership().ValidUntil
				c.order(t, a)
				time.Sleep(until.Sub(clocktest.Bubble{}.Now()) - time.Millisecond)
				synctest.Wait()
				if released(backend) {
					t.Error("released before the last validUntil")
				}
				b.waitFor(t, ledBy, 300*time.Millisecond)
				a.end()
				<-a.ended
				if got := a.ask(t, "POST", "/step-down"); got == 202 {
					t.Error("an order was taken after the end")
				}
				if got := a.sees(t); got != notLedBy {
					t.Errorf("in the end the workload sees %q", got)
				}
			})
		})
	}
}

// TestStreamOfAnElection: the events of a handover, as a client of the old leader sees them.
func TestStreamOfAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := memory.New()
		a := start(t, backend, "web-a")
		w := &recorded{ResponseRecorder: httptest.NewRecorder()}
		ctx, cancel := context.WithCancel(t.Context())
		var streaming sync.WaitGroup
		streaming.Go(func() {
			a.api.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/events", nil).WithContext(ctx))
		})
		a.waitFor(t, ledBy, time.Minute)
		time.Sleep(time.Minute)
		a.ask(t, "POST", "/step-down")
		time.Sleep(time.Second)
		a.ask(t, "POST", "/drained")
		time.Sleep(time.Second)
		cancel()
		streaming.Wait()
		var got []string
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, "data: ") {
				got = append(got, line[strings.Index(line, `"isLeader"`):strings.Index(line, `,"token"`)])
			}
		}
		want := []string{
			`"isLeader":false,"leader":""`, `"isLeader":true,"leader":"web-a"`,
			`"isLeader":false,"leader":"web-a"`, `"isLeader":false,"leader":""`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// recorded is a recorder that takes deadlines, as a connection does.
type recorded struct{ *httptest.ResponseRecorder }

func (*recorded) SetWriteDeadline(time.Time) error { return nil }
