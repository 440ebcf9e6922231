package process

import (
	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Levels are skipped: a handover may be the first that this signal hears of a term, as where a restarted sidecar resumes a term
// only to hand it over. The process that is there may work for that term all the same, so its end has to be seen, too.

// drain is a handover, or the end of a term that was not resumed: this replica does not lead, and says until when its workload may
// work.
type drain struct {
	under       bool  // the newest level is one's
	transitions int64 // of the Lease: another number is another term
	unled       bool  // its term was never told here
	tracked     bool  // the work has what was there of that term
}

// untracked reports whether nothing is known of the work that has to end.
func (d drain) untracked() bool { return d.unled && !d.tracked }

// drains reports whether l is a level of a drain.
func drains(l leadership.Leadership) bool { return !l.IsLeader && !l.ValidUntil.IsZero() }

// meet notes whether a drain begins with the level l, before anything is looked for: a process that has ended by now may have left
// something.
func (p *Process) meet(l leadership.Leadership) {
	switch d := p.drain; {
	case !drains(l):
		p.drain.under = false
		return
	case d.under && d.transitions == l.Transitions:
	case p.leads:
		p.drain = drain{under: true, transitions: l.Transitions}
	default: // while a gain waits, what was told to end is known
		p.drain = drain{under: true, transitions: l.Transitions, unled: true, tracked: p.awaits && p.held == nil}
		if p.kill.IsZero() {
			p.stop = killtime.Stop{}
		}
	}
	p.track(l)
}

// track has the process that is there end before a term counts as stopped that was never told here. Where there is a fence, its kill
// deadline is that of a planned stop.
func (p *Process) track(l leadership.Leadership) {
	if !p.drain.untracked() {
		return
	}
	if p.cfg.Fence && p.stop.Began.IsZero() && drains(l) { // the stop timeout runs from the first level
		p.stop = p.rule().Next(p.stop, p.cfg.Clock.Now(), p.until, l)
	}
	if p.held == nil {
		return
	}
	p.drain.tracked = true
	p.enroll()
	if p.cfg.Fence && p.kill.IsZero() && drains(l) {
		p.aim(l)
	}
}
