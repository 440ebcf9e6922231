package control

import (
	"context"
	"time"
)

// lookForEnd is the pause between looks whether the endpoint is gone: a handover waits for it.
const lookForEnd = 20 * time.Millisecond

// endpoint is the proof that lies in a health endpoint: once it has been there, its absence shows that the workload has
// stopped.
type endpoint struct{ h *Health }

var _ Proof = endpoint{}

// Proof returns the proof that the endpoint is gone: a connection refused, a file removed, after it was there. It is
// as good as the workload is orderly: one that closes its listener first and works on after that must not use it.
func (h *Health) Proof() Proof { return endpoint{h} }

// Name returns "health".
func (endpoint) Name() string { return "health" }

// Blind reports whether the endpoint has never been there, or would stay when the workload just dies.
func (e endpoint) Blind() bool { return !e.h.seen.Load() || e.h.probe.outlives() }

// Stopped returns nil once the endpoint is gone.
func (e endpoint) Stopped(ctx context.Context) error {
	again := time.NewTicker(lookForEnd)
	defer again.Stop()
	for !e.gone(ctx) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// gone looks once.
func (e endpoint) gone(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, e.h.cfg.Timeout)
	defer cancel()
	seen, _ := e.h.probe.look(ctx)
	if seen == there {
		e.h.seen.Store(true)
	}
	return seen == gone && e.h.seen.Load() && ctx.Err() == nil
}
