package health

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// fakeElection keeps what is reported to it, as "true: why".
type fakeElection struct {
	mu      sync.Mutex
	now     leadership.Leadership
	reports []string
}

func (c *fakeElection) SetHealthy(healthy bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = append(c.reports, fmt.Sprintf("%v: %s", healthy, why))
}

func (c *fakeElection) Leadership() leadership.Leadership {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeElection) set(l leadership.Leadership) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = l
}

// await waits until the last report begins so.
func (c *fakeElection) await(t *testing.T, want string) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		last = c.reports[len(c.reports)-1]
		c.mu.Unlock()
		if strings.HasPrefix(last, want) {
			return
		}
	}
	t.Fatalf("the last report is %q, want %q", last, want)
}

func quickConfig(change func(*Config)) Config {
	c := Config{
		Interval: 10 * time.Millisecond, Timeout: 10 * time.Millisecond, Threshold: 3, SuccessThreshold: 1,
		Clock: bootclock.System{}, Log: slog.New(slog.DiscardHandler),
	}
	change(&c)
	return c
}

// checking runs a health check until the test ends.
func checking(t *testing.T, cfg Config) (*Checker, *fakeElection) {
	t.Helper()
	c := &fakeElection{}
	h, err := New(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return h, c
}

// The reports about a real server whose health comes and goes.
func TestHealthIsReportedToTheCandidate(t *testing.T) {
	var status atomic.Int32
	status.Store(500)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer app.Close()
	h, c := checking(t, quickConfig(func(c *Config) { c.URL, c.Timeout = app.URL, time.Second }))
	if h.Healthy() {
		t.Error("healthy before its health is known")
	}
	status.Store(200)
	c.await(t, "true")
	status.Store(503)
	c.await(t, "false: 3 health checks failed in a row, the last: get "+app.URL+": status 503")
	status.Store(200)
	c.await(t, "true")
	want := []string{
		"false: its health is not known yet", "true: its health checks pass",
		"false: 3 health checks failed in a row, the last: get " + app.URL + ": status 503", "true: its health checks pass",
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// TestStandbyThatDoesNotRunIsNotChecked: such a workload has no endpoint before it leads.
func TestStandbyThatDoesNotRunIsNotChecked(t *testing.T) {
	var asked atomic.Int32
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(500)
	}))
	defer app.Close()
	h, c := checking(t, quickConfig(func(c *Config) {
		c.URL, c.Timeout, c.WhileLeading, c.Cooldown = app.URL, time.Second, true, time.Hour
	}))
	time.Sleep(50 * time.Millisecond)
	if n := asked.Load(); n != 0 || !h.Healthy() {
		t.Errorf("asked %d times, healthy %v, want 0, true", n, h.Healthy())
	}
	c.set(leadershiptest.Leading(bootclock.System{}, "5"))
	c.await(t, "false: 3 health checks")
}

// TestEachTermsFirstFailureIsLogged: on a standby nothing is checked, so no passed check ends what has failed in the last term.
func TestEachTermsFirstFailureIsLogged(t *testing.T) {
	var log bytes.Buffer
	election, ctx := &fakeElection{}, t.Context()
	h, err := New(quickConfig(func(c *Config) {
		c.File, c.WhileLeading, c.Log = filepath.Join(t.TempDir(), "healthy"), true, slog.New(slog.NewTextHandler(&log, nil))
	}), election)
	if err != nil {
		t.Fatal(err)
	}
	for term := range 3 {
		election.set(leadershiptest.Leading(bootclock.System{}, strconv.Itoa(term)))
		h.check(ctx)
		h.check(ctx)
		if got := strings.Count(log.String(), "HealthCheckFailed"); got != term+1 {
			t.Errorf("after term %d: %d failures are logged, want %d:\n%s", term, got, term+1, &log)
		}
		election.set(leadership.Leadership{})
		h.check(ctx)
	}
}

// One voice that says "unhealthy" is enough, and only that voice can take it back.
func TestBoard(t *testing.T) {
	var c fakeElection
	b := NewBoard(&c)
	health, command := b.Voice("health"), b.Voice("command")
	for i, step := range []struct {
		voice   Voice
		healthy bool
		why     string

		want string
	}{
		{health, true, "well", "true: well"},
		{command, false, "it ended", "false: it ended"},
		{health, true, "still well", "false: it ended"},
		{health, false, "gone", "false: gone; it ended"},
		{command, true, "the pause is over", "false: gone"},
		{health, true, "back", "true: back"},
	} {
		step.voice.SetHealthy(step.healthy, step.why)
		if got := c.reports[i]; got != step.want {
			t.Errorf("step %d: got %q; want %q", i, got, step.want)
		}
	}
	c.set(leadership.Leadership{Token: "5"})
	if got := health.Leadership().Token; got != "5" {
		t.Errorf("leadership %q; want the election's", got)
	}
}
