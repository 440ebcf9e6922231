package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// recheck bounds how long a deadline can be overslept: timers stop while the machine is suspended.
const recheck = 200 * time.Millisecond

// ErrNotDraining answers a workload that reports its end while nobody waits for it.
var ErrNotDraining = errors.New("no handover waits for the workload now: report after this replica has lost leadership, while validUntil is set")

// SettlerConfig says what counts as the workload's stop.
type SettlerConfig struct {
	// Clock judges deadlines.
	Clock bootclock.Clock
	// Signals returns nil once all signals say "not leading", or an error when ctx ends first.
	Signals func(ctx context.Context) error
	// Native says that SIGTERM comes only after the workload's containers have ended (--placement native).
	Native bool
	// DrainTimeout is the operator's promise that the workload stops within that time of being told; 0: no promise.
	DrainTimeout time.Duration
	// Proofs are the ways of seeing that the workload has stopped; the first that does counts.
	Proofs []Proof
	// Log takes why a handover went on.
	Log *slog.Logger
}

// Settler knows when the workload has stopped: it was seen to, it said so, or by a rule.
type Settler struct {
	cfg SettlerConfig

	mu      sync.Mutex
	drained bootclock.Instant // the latest deadline of a drain in which the workload reported its end
	reports chan struct{}     // closed, and replaced, at each report
}

// NewSettler returns a settler that has heard of nothing yet.
func NewSettler(cfg SettlerConfig) *Settler {
	return &Settler{cfg: cfg, reports: make(chan struct{})}
}

// Drained takes the workload's word that its work has stopped; l is the leadership now. It returns [ErrNotDraining]
// when l does not stand in a drain: a report of before must not count for a later term.
//
// It may come before [Settler.Wait] does, as the signals drop first.
func (s *Settler) Drained(l leadership.Leadership) error {
	if l.IsLeader || l.ValidUntil.IsZero() {
		return ErrNotDraining
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drained = max(s.drained, l.ValidUntil)
	close(s.reports)
	s.reports = make(chan struct{})
	return nil
}

// Wait returns once the workload counts as stopped, or when ctx ends. First all signals must say "not leading"; then
// the first of these counts: a [Proof], the workload's report, the end of DrainTimeout, and, with Native and no proof
// that could see the end, that this process is terminating. When d.Until passes, all waiting ends, as no reader that
// honours validUntil believes in the term any more; but not while a proof knows that the workload is alive.
func (s *Settler) Wait(ctx context.Context, d elector.Drain) elector.Outcome {
	ctx, cancel := context.WithCancel(ctx)
	w := waiting{Settler: s, drain: d, began: s.cfg.Clock.Now(), settled: make(chan error, 1), join: func() {}}
	go func() { w.settled <- s.cfg.Signals(ctx) }()
	defer func() {
		cancel()
		if w.settled != nil {
			<-w.settled
		}
		w.join()
	}()
	for {
		reason, next, reports := w.stopped()
		if reason != "" {
			s.cfg.Log.Info("the workload counts as stopped", "cause", d.Cause, "because", reason,
				"waited", s.cfg.Clock.Now().Sub(w.began))
			return elector.WorkloadStopped
		}
		if !w.hear(ctx, next, reports) {
			return 0
		}
	}
}

// waiting is one wait for the workload's stop.
type waiting struct {
	*Settler
	drain   elector.Drain
	began   bootclock.Instant
	settled chan error      // the outcome of Signals; nil once it is known
	silent  bool            // no signal says "leading" any more
	seen    <-chan sighting // what the proofs say; nil until they are asked
	join    func()          // waits for the proofs that were asked
	proof   string          // the one that saw the workload stop
}

// hear waits until something may have changed, at most next. It returns false when ctx ends.
func (w *waiting) hear(ctx context.Context, next time.Duration, reports <-chan struct{}) bool {
	timer := time.NewTimer(next)
	defer timer.Stop()
	select {
	case err := <-w.settled:
		w.settled, w.silent = nil, err == nil
		if w.silent {
			// Not before: a workload that starts anew while a signal still says "leading" would work.
			w.seen, w.join = proofs(w.cfg.Proofs).ask(ctx)
		}
	case s := <-w.seen:
		w.look(ctx, s)
	case <-reports:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// look takes a proof's answer. One that fails stops nothing: the others, and the rules, are still there.
func (w *waiting) look(ctx context.Context, s sighting) {
	switch {
	case s.err == nil:
		w.proof = s.proof
	case ctx.Err() == nil:
		w.cfg.Log.Warn("cannot see whether the workload has stopped", "proof", s.proof, "error", s.err)
	}
}

// stopped returns why the workload counts as stopped, or else "", when to look again at the latest, and a channel that
// closes at the workload's next report.
func (w *waiting) stopped() (reason string, next time.Duration, reports <-chan struct{}) {
	w.mu.Lock()
	// The deadlines of one candidate rise from term to term, and a drain's are never before the last of its term: a
	// report with this drain's deadline or a later one was made in this drain.
	reported := !w.drain.Until.IsZero() && !w.drained.Before(w.drain.Until)
	reports = w.reports
	w.mu.Unlock()

	now := w.cfg.Clock.Now()
	left := w.drain.Until.Sub(now)
	promised := w.cfg.DrainTimeout - now.Sub(w.began)
	alive := proofs(w.cfg.Proofs).alive()
	next = recheck
	if left > 0 {
		next = min(left, recheck)
	}
	switch {
	case w.proof != "":
		reason = "it was seen to stop (" + w.proof + ")"
	case left <= 0 && !alive:
		reason = "validUntil has passed"
	case !w.silent:
	case reported:
		reason = "it reported so"
	case w.cfg.Native && w.drain.Terminating && proofs(w.cfg.Proofs).blind():
		reason = "its containers end before the sidecar (native placement)"
	case w.cfg.DrainTimeout > 0 && promised <= 0:
		reason = "the drain timeout is over"
	case w.cfg.DrainTimeout > 0:
		next = min(next, promised)
	}
	return reason, next, reports
}
