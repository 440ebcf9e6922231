// Package stopwait decides when the workload of a leader that hands over counts as stopped, so that its Lease may be
// released, and when waiting for that is given up.
//
// It promises that no release follows while a sight says that the workload runs, nor before the signals that a handover
// depends on say "not leading", unless the last validUntil that a reader could honour has passed. It does not promise that a
// workload which nobody sees has stopped: it relies on what the workload reports, on the operator's drain timeout, or on
// readers that honour validUntil.
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

// lookAgain is the longest time between two looks at the workload in a drain. Sights report their changes; this is for a change
// between the first look and the begin of their watch.
const lookAgain = time.Second

// Config says what counts as the workload's stop. Clock, Applied and Log are required.
type Config struct {
	// Clock judges deadlines.
	Clock bootclock.Clock
	// Applied returns nil once every signal that a handover depends on says "not leading", or an error when ctx ends
	// first.
	Applied func(ctx context.Context) error
	// StopTimeout is how long a workload that is seen to run is waited for, from the begin of the drain.
	StopTimeout time.Duration
	// DrainTimeout is the operator's promise that the workload stops within that time of the signals; 0: no promise.
	DrainTimeout time.Duration
	// KillMargin is the election's: where something kills the workload, it is dead by so long after its deadline.
	KillMargin time.Duration
	// Sights are all that can see the workload.
	Sights []sight.Sight
	// Abandoned is called for each wait that was given up while the sights with those names saw the workload run. It must
	// not block. May be nil.
	Abandoned func(d elector.Drain, running []string)
	// Log takes why a handover went on, or did not.
	Log *slog.Logger
}

// Waiter waits for the workload's stop. Its methods may be called from several goroutines at once.
type Waiter struct {
	cfg Config

	mu       sync.Mutex
	token    string        // of the term that drains, or that was led last; "" when neither is known
	fenced   bool          // something kills the workload, and it was seen to run in a drain since it was last led
	applied  applied       // when the signals of the newest drain were
	reports  reports       // what the workload reported
	reported chan struct{} // closed, and replaced, at each report
}

// applied is when the signals of a term's drain had been applied.
type applied struct {
	token string
	at    bootclock.Instant // zero: not yet
}

// New returns a waiter of no term.
func New(cfg Config) *Waiter {
	return &Waiter{cfg: cfg, reported: make(chan struct{})}
}

// Wait returns [elector.WorkloadStopped] once the workload counts as stopped, [elector.Abandoned] once a workload that is
// seen to run is not waited for any longer, and the zero Outcome when ctx ends first.
//
// First every signal must say "not leading". Then a workload that is seen to run is waited for until StopTimeout from
// d.Began is over, and for KillMargin more where something kills it; nothing else ends that wait. Where no sight says so,
// the first of these counts: a sight that has seen it stop, a report for this term, the end of DrainTimeout. At d.Until no
// reader that honours validUntil believes in the term any more: then waiting ends, also where a signal could not be applied,
// but a kill margin later where something kills the workload. One that was seen to run in this drain, and is seen no more, is
// killed by a deadline that renewals move: then waiting ends a kill margin after the stop timeout.
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

// follow judges at each change until there is an outcome, or ctx ends.
func (w *Waiter) follow(ctx context.Context, d elector.Drain, changed <-chan struct{}) elector.Outcome {
	timer := w.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		w.mu.Lock()
		reported := w.reported // before the look: a report that comes after it is heard
		w.mu.Unlock()
		now := w.cfg.Clock.Now()
		v := w.judge(now, d)
		switch v.outcome {
		case elector.WorkloadStopped:
			w.cfg.Log.Info("the workload counts as stopped", "reason", "WorkloadStopped", "cause", d.Cause, "detail", v.because,
				"waited", now.Sub(d.Began).String())
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

// noteApplied notes that the signals of a term's drain have been applied. The first time counts: a wait that takes the place of
// another must not prolong the drain timeout.
func (w *Waiter) noteApplied(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.applied.token == token && w.applied.at.IsZero() {
		w.applied.at = w.cfg.Clock.Now()
	}
}

// abandon reports that a workload which still runs is not waited for any longer.
func (w *Waiter) abandon(now bootclock.Instant, d elector.Drain, running []string) {
	w.cfg.Log.Warn("the workload still runs at the end of the stop timeout: the Lease is neither released nor renewed, and "+
		"its work may overlap with the next leader's",
		"reason", "DrainAbandoned", "cause", d.Cause, "token", d.Token, "running", strings.Join(running, ","),
		"waited", now.Sub(d.Began).String(), "stop_timeout", w.cfg.StopTimeout.String())
	if w.cfg.Abandoned != nil {
		w.cfg.Abandoned(d, running)
	}
}
