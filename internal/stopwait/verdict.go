package stopwait

import (
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// verdict is the result of one look at the workload.
type verdict struct {
	outcome elector.Outcome   // zero: wait on
	because string            // with WorkloadStopped
	running []string          // the sights that see it running
	next    bootclock.Instant // when time alone changes the verdict; zero: never
}

// seen is what all sights see together.
type seen struct {
	running []string
	stopped string // the first that saw it stop
	kills   bool
	// killable: a sight of what kills the workload sees it running.
	killable bool
}

func (w *Waiter) look(ending bool) seen {
	var s seen
	for _, one := range w.cfg.Sights {
		s.kills = s.kills || one.Kills()
		switch one.State(ending) {
		case sight.Running:
			s.running = append(s.running, one.Name())
			s.killable = s.killable || one.Kills()
		case sight.Stopped:
			if s.stopped == "" {
				s.stopped = one.Name()
			}
		case sight.Unknown:
		}
	}
	return s
}

// judge is the rule. A sight that sees the workload running wins. Otherwise a sight, a report or the drain timeout that says
// it has stopped counts. Otherwise the last validUntil that a reader could honour counts.
func (w *Waiter) judge(now bootclock.Instant, d elector.Drain) verdict {
	s := w.look(d.Terminating)
	applied, reported := w.progress(d)
	limit, until := d.Began.Add(w.cfg.StopTimeout), d.Until
	if s.kills {
		if w.fencedRuns(s) { // each renewal during the drain moved its kill deadline, up to the stop timeout
			until = max(until, max(d.Began, applied).Add(w.cfg.StopTimeout))
		}
		limit, until = limit.Add(w.cfg.KillMargin), until.Add(w.cfg.KillMargin)
	}
	if len(s.running) > 0 { // nothing below counts while it is seen to run
		if !now.Before(limit) {
			return verdict{outcome: elector.Abandoned, running: s.running}
		}
		return verdict{running: s.running, next: limit}
	}
	promised := applied.Add(w.cfg.DrainTimeout)
	v := verdict{next: until}
	switch {
	case !applied.IsZero() && s.stopped != "":
		v.because = "it was seen to stop (" + s.stopped + ")"
	case !applied.IsZero() && reported:
		v.because = "it reported so"
	case !applied.IsZero() && w.cfg.DrainTimeout > 0 && !now.Before(promised):
		v.because = "the drain timeout is over"
	case !now.Before(until) && s.kills:
		v.because = "validUntil and its kill deadline have passed"
	case !now.Before(until):
		v.because = "validUntil has passed"
	case !applied.IsZero() && w.cfg.DrainTimeout > 0:
		v.next = min(v.next, promised)
	}
	if v.because != "" {
		v.outcome = elector.WorkloadStopped
	}
	return v
}

// fencedRuns reports whether a sight of what kills the workload saw it running in a drain, and none has seen it stop since.
// Only then may a drain have moved its kill deadline. The answer holds until this replica leads again.
func (w *Waiter) fencedRuns(s seen) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case s.killable:
		w.fenced = true
	case s.stopped != "":
		w.fenced = false
	}
	return w.fenced
}
