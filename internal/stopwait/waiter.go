// Package stopwait decides when the workload of a leader that hands over counts as stopped, so that its Lease may be
// released, and when to give up waiting.
//
// It promises no release while a sight sees the workload running, nor before the signals that a handover depends on say "not
// leading", unless the last validUntil that a reader could honour has passed. It does not promise that an unseen workload
// has stopped: it relies on the workload's report, the operator's drain timeout, or readers that honour validUntil.
//
//	elector ── Drain ──▶ Waiter ◀── running, stopped, unknown ── sights
//	        ◀─ Outcome ──┘   ▲
//	                         └── POST /drained
package stopwait

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// lookAgain is the longest time between two looks in a drain. Sights report changes; this covers a change between the first
// look and the begin of their watch.
const lookAgain = time.Second

// Config says what counts as the workload's stop. Clock, Applied and Log are required.
type Config struct {
	// Clock judges deadlines.
	Clock bootclock.Clock
	// Applied returns nil once every signal that a handover depends on says "not leading", or an error if ctx ends first.
	Applied func(ctx context.Context) error
	// StopTimeout is how long to wait for a workload that is seen running, from the begin of the drain.
	StopTimeout time.Duration
	// DrainTimeout is the operator's promise that the workload stops within this time after the signals; 0: no promise.
	DrainTimeout time.Duration
	// KillMargin is the election's: a workload that something kills is dead so long after its deadline.
	KillMargin time.Duration
	// Sights are all that can see the workload.
	Sights []sight.Sight
	// Abandoned is called when a wait is given up, with the sights that saw the workload running. It must not block. May be nil.
	Abandoned func(d elector.Drain, running []string)
	// Log records why a handover went on or did not.
	Log *slog.Logger
}

// Waiter waits for the workload's stop. It is safe for concurrent use.
type Waiter struct {
	cfg Config

	mu       sync.Mutex
	token    string        // of the draining term or the last term led; "" if unknown
	fenced   bool          // something kills the workload, and a drain since it last led saw it running
	applied  applied       // when the latest drain's signals were applied
	reports  reports       // what the workload reported
	reported chan struct{} // closed, and replaced, at each report
}

// applied says when the signals of a term's drain were applied.
type applied struct {
	token string
	at    bootclock.Instant // zero: not yet
}

// New returns a waiter without a term.
func New(cfg Config) *Waiter {
	return &Waiter{cfg: cfg, reported: make(chan struct{})}
}

// Wait returns [elector.WorkloadStopped] once the workload counts as stopped, [elector.Abandoned] once it gives up on a
// workload that is seen running, and the zero Outcome if ctx ends first.
//
// First every signal must say "not leading". While a sight sees the workload running, only time ends the wait: StopTimeout
// after d.Began, plus KillMargin if something kills the workload. Otherwise the first of these ends it: a sight that saw it
// stop, a report for this term, or the end of DrainTimeout. At d.Until no reader that honours validUntil still believes in
// the term, so the wait ends even if a signal could not be applied; if something kills the workload, a kill margin later. A
// workload that was seen running in this drain, and no longer is, has a kill deadline that renewals move: then the wait ends
// a kill margin after the stop timeout.
func (w *Waiter) Wait(ctx context.Context, d elector.Drain) elector.Outcome {
	w.mu.Lock()
	w.token = d.Token
	if w.applied.token != d.Token {
		w.applied = applied{token: d.Token}
	}
	w.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	running.Go(func() {
		if w.cfg.Applied(ctx) == nil {
			w.noteApplied(d.Token)
			wake()
		}
	})
	for _, s := range w.cfg.Sights {
		running.Go(func() { s.Watch(ctx, wake) })
	}
	return w.follow(ctx, d, changed)
}

// follow judges at each change until there is an outcome or ctx ends.
func (w *Waiter) follow(ctx context.Context, d elector.Drain, changed <-chan struct{}) elector.Outcome {
	timer := w.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		w.mu.Lock()
		reported := w.reported // before the look, so that no later report is missed
		w.mu.Unlock()
		now := w.cfg.Clock.Now()
		v := w.judge(now, d)
		switch v.outcome {
		case elector.WorkloadStopped:
			w.cfg.Log.Info("the workload counts as stopped", "reason", "WorkloadStopped", "cause", d.Cause, "detail", v.because,
				"waited", now.Sub(d.Began))
			return v.outcome
		case elector.Abandoned:
			w.abandon(now, d, v.running)
			return v.outcome
		}
		if len(w.cfg.Sights) > 0 {
			v.next = min(v.next, now.Add(lookAgain))
		}
		if bootclock.Await(ctx, timer, v.next, changed, reported) != nil {
			return 0
		}
	}
}

// noteApplied records when a drain's signals were applied. The first time counts: a new wait must not prolong the drain timeout.
func (w *Waiter) noteApplied(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.applied.token == token && w.applied.at.IsZero() {
		w.applied.at = w.cfg.Clock.Now()
	}
}

// abandon reports that it gives up on a workload that still runs.
func (w *Waiter) abandon(now bootclock.Instant, d elector.Drain, running []string) {
	w.cfg.Log.Warn("the workload still runs at the end of the stop timeout: the Lease is neither released nor renewed, and "+
		"its work may overlap with the next leader's",
		"reason", "DrainAbandoned", "cause", d.Cause, "token", d.Token, "running", strings.Join(running, ","),
		"waited", now.Sub(d.Began), "stop_timeout", w.cfg.StopTimeout)
	if w.cfg.Abandoned != nil {
		w.cfg.Abandoned(d, running)
	}
}
