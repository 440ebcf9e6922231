package health

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
)

// stopSeen reports whether a watch of the endpoint comes to see the workload's stop within d, and joins it.
func stopSeen(t *testing.T, e *Endpoint, d time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	events, left := sighttest.NewEvents(), make(chan struct{})
	go func() {
		defer close(left)
		e.Watch(ctx, events.Changed)
	}()
	defer func() {
		cancel()
		<-left
		if got := e.State(true); got != sight.Unknown {
			t.Errorf("%v though nobody watches", got)
		}
	}()
	for e.State(false) != sight.Stopped {
		select {
		case <-events.Changes:
		case <-left:
			return false
		}
	}
	return true
}

// Its presence does not show that the workload runs: a standby may serve it.
func TestEndpointGoneIsAStop(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	address := app.Listener.Addr().String()
	app.Listener.Close()
	h, _ := checking(t, quickConfig(func(c *Config) { c.TCP, c.Timeout = address, time.Second }))
	e := h.Endpoint()
	if e.Kills() || e.Name() != "health" {
		t.Errorf("kills %v, name %q", e.Kills(), e.Name())
	}
	if stopSeen(t, e, 100*time.Millisecond) {
		t.Error("an endpoint that was never there counts as a stop")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	app.Listener = listener
	app.Start()
	for !h.seen.Load() {
		time.Sleep(time.Millisecond)
	}
	if stopSeen(t, e, 100*time.Millisecond) {
		t.Error("stopped while the endpoint is there")
	}
	time.AfterFunc(50*time.Millisecond, app.Close)
	if !stopSeen(t, e, 5*time.Second) {
		t.Error("not stopped though the endpoint is gone")
	}
}

// A crash removes no file, and the removal of a file shows no end.
func TestFileIsNoSight(t *testing.T) {
	path := filepath.Join(t.TempDir(), "healthy")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, c := checking(t, quickConfig(func(c *Config) { c.File = path }))
	c.await(t, "true")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if stopSeen(t, h.Endpoint(), 100*time.Millisecond) {
		t.Error("a file that was removed counts as a stop")
	}
}
