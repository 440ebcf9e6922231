package health

import (
	"context"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// lookForEnd is the pause between looks for the endpoint's end, while a handover waits for it.
const lookForEnd = 20 * time.Millisecond

// Endpoint sees the workload by its health endpoint: if an endpoint that was there is gone, the workload has stopped. Its
// presence shows nothing, as a standby may serve it too.
type Endpoint struct {
	h *Checker

	mu      sync.Mutex
	watches int  // how many are running
	gone    bool // by the latest look of a watch
}

var _ sight.Sight = (*Endpoint)(nil)

// Endpoint returns the sight of the endpoint's end: a connection is refused after one was accepted. Do not use it for a
// workload that closes its listener first and works on. A file shows no end, as it stays when the workload dies.
func (h *Checker) Endpoint() *Endpoint { return &Endpoint{h: h} }

// Name returns "health".
func (*Endpoint) Name() string { return "health" }

// Kills returns false.
func (*Endpoint) Kills() bool { return false }

// State returns Stopped if a running [Endpoint.Watch] saw that the endpoint is gone, else Unknown.
func (e *Endpoint) State(bool) sight.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watches > 0 && e.gone {
		return sight.Stopped
	}
	return sight.Unknown
}

// Watch looks for the endpoint's end until ctx ends.
func (e *Endpoint) Watch(ctx context.Context, changed func()) {
	if e.h.cfg.File != "" { // a file stays when the workload dies
		<-ctx.Done()
		return
	}
	e.note(1, false) // the result of an earlier watch no longer counts
	defer e.note(-1, false)
	again := time.NewTicker(lookForEnd)
	defer again.Stop()
	for {
		seen, _ := e.h.look(ctx)
		if ctx.Err() == nil && e.note(0, seen == absent && e.h.seen.Load()) { // it was there before
			changed()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// note counts a watch in or out, or takes its result. It reports whether the state changed.
func (e *Endpoint) note(watch int, gone bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.gone
	if e.watches += watch; watch == 0 || e.watches <= 1 {
		e.gone = gone
	}
	return e.gone != before
}
