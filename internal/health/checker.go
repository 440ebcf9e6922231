package health

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Election is the election, as far as health concerns it.
type Election interface {
	// SetHealthy says whether the workload is healthy, and why.
	SetHealthy(healthy bool, why string)
	// Leadership returns what is known now.
	Leadership() leadership.Leadership
}

// Checker checks the workload again and again, and says to the election when its health changes. A workload of unknown
// health is unhealthy: before the first check has passed, a replica does not campaign.
type Checker struct {
	cfg      Config
	probe    probe
	election Election
	gate     gate
	healthy  atomic.Bool
	seen     atomic.Bool // the endpoint has answered once
	trouble  trouble.Last
}

// New returns a check that has not looked yet, and says to the election what holds until the first check. Call it before
// the election runs, else that may campaign with a workload of unknown health. An error is a [*field.Error] about URL or TCP.
func New(cfg Config, election Election) (*Checker, error) {
	probe, err := newProbe(cfg)
	if err != nil {
		return nil, err
	}
	h := &Checker{cfg: cfg, probe: probe, election: election, gate: newGate(cfg, cfg.Clock.Now())}
	h.report()
	return h, nil
}

// Healthy reports whether the workload is healthy, as the election last heard.
func (h *Checker) Healthy() bool { return h.healthy.Load() }

// Run checks at once, and then at each interval, until ctx ends.
func (h *Checker) Run(ctx context.Context) {
	again := time.NewTicker(h.cfg.Interval)
	defer again.Stop()
	for {
		h.check(ctx)
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// check looks once, and reports to the election where that changes the health.
func (h *Checker) check(ctx context.Context) {
	before := h.election.Leadership()
	changed := false
	if h.cfg.WhileLeading && !before.IsLeader {
		changed = h.gate.skip(h.cfg.Clock.Now())
	} else {
		_, err := h.look(ctx)
		if ctx.Err() != nil {
			return // cut short, so it shows nothing
		}
		h.note(err)
		changed = h.gate.count(h.cfg.Clock.Now(), before, err)
	}
	if changed {
		h.report()
	}
}

// look performs one check of the workload, which is healthy where the error is nil.
func (h *Checker) look(ctx context.Context) (presence, error) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	seen, err := h.probe(ctx)
	if seen == there {
		h.seen.Store(true)
	}
	return seen, err
}

// note logs a check when its outcome has changed.
func (h *Checker) note(err error) {
	switch changed := h.trouble.Changed(err); {
	case changed && err != nil:
		h.cfg.Log.Warn("the workload's health check failed", "reason", "HealthCheckFailed", "error", err)
	case changed:
		h.cfg.Log.Info("the workload's health check passed", "reason", "HealthCheckPassed")
	}
}

// report says the gate's verdict to the election.
func (h *Checker) report() {
	h.healthy.Store(h.gate.healthy)
	h.election.SetHealthy(h.gate.healthy, h.gate.why)
}
