package health

import (
	"context"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// lookForEnd is the pause between looks whether the endpoint is gone: a handover waits for it.
const lookForEnd = 20 * time.Millisecond

// Endpoint is the sight of the workload by its health endpoint: once that has been there, its absence shows that the workload
// has stopped. Its presence shows nothing: a standby may serve it as well.
type Endpoint struct {
	h *Checker

	mu      sync.Mutex
	watches int  // how many go on
	gone    bool // as the newest look of a watch saw it
}

var _ sight.Sight = (*Endpoint)(nil)

// Endpoint returns the sight of the endpoint's end: a connection is refused after one was accepted. A workload that closes
// its listener first and works on after that must not use it. A file proves nothing, as it stays when the workload dies.
func (h *Checker) Endpoint() *Endpoint { return &Endpoint{h: h} }

// Name returns "health".
func (*Endpoint) Name() string { return "health" }

// Kills returns false.
func (*Endpoint) Kills() bool { return false }

// State returns Stopped where the endpoint is gone, by a look of an [Endpoint.Watch] that still goes on; otherwise Unknown.
func (e *Endpoint) State(bool) sight.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watches > 0 && e.gone {
		return sight.Stopped
	}
	return sight.Unknown
}

// Watch looks again and again until ctx ends.
func (e *Endpoint) Watch(ctx context.Context, changed func()) {
	if e.h.cfg.File != "" { // it stays when the workload dies without an orderly stop
		<-ctx.Done()
		return
	}
	e.note(1, false) // what an earlier watch saw counts no more
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

// note counts a watch in or out, or takes its look. It reports whether that changed the state.
func (e *Endpoint) note(watch int, gone bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.gone
	if e.watches += watch; watch == 0 || e.watches <= 1 {
		e.gone = gone
	}
	return e.gone != before
}
