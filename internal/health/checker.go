package health

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Election is the part of the election that health needs.
type Election interface {
	// SetHealthy says whether the workload is healthy, and why.
	SetHealthy(healthy bool, why string)
	// Leadership returns the current leadership.
	Leadership() leadership.Leadership
}

// Checker checks the workload repeatedly, and reports changes of its health to the election. A workload of unknown health is
// unhealthy: a replica does not campaign before the first check has passed.
type Checker struct {
	cfg      Config
	probe    probe
	election Election
	gate     gate
	healthy  atomic.Bool
	seen     atomic.Bool // the endpoint has answered at least once
	trouble  trouble.Last
}

// New returns a checker that has not checked yet, and reports the initial health to the election. Call it before the election
// runs: otherwise that might campaign with a workload of unknown health. An error is a [*field.Error] about URL or TCP.
func New(cfg Config, election Election) (*Checker, error) {
	probe, err := newProbe(cfg)
	if err != nil {
		return nil, err
	}
	h := &Checker{cfg: cfg, probe: probe, election: election, gate: newGate(cfg, cfg.Clock.Now())}
	h.report()
	return h, nil
}

// Healthy reports the workload's health as last reported to the election.
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

// check checks once, and reports a change to the election.
func (h *Checker) check(ctx context.Context) {
	before := h.election.Leadership()
	changed := false
	if h.cfg.WhileLeading && !before.IsLeader {
		h.trouble = trouble.Last{} // the next term's first failure is logged, though the last one's was the same
		changed = h.gate.skip(h.cfg.Clock.Now())
	} else {
		_, err := h.look(ctx)
		if ctx.Err() != nil {
			return // cut short: no result
		}
		h.note(err)
		changed = h.gate.count(h.cfg.Clock.Now(), before, err)
	}
	if changed {
		h.report()
	}
}

// look performs one check. A nil error means healthy.
func (h *Checker) look(ctx context.Context) (presence, error) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	seen, err := h.probe(ctx)
	if seen == there {
		h.seen.Store(true)
	}
	return seen, err
}

// note logs a check whose result differs from the last.
func (h *Checker) note(err error) {
	switch changed := h.trouble.Changed(err); {
	case changed && err != nil:
		h.cfg.Log.Warn("the workload's health check failed", "reason", "HealthCheckFailed", "error", err)
	case changed:
		h.cfg.Log.Info("the workload's health check passed", "reason", "HealthCheckPassed")
	}
}

func (h *Checker) report() {
	h.healthy.Store(h.gate.healthy)
	h.election.SetHealthy(h.gate.healthy, h.gate.why)
}
