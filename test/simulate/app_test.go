//go:build linux

package simulate

import (
	"math"
	"time"
)

// forever is the end of what has none yet.
const forever = time.Duration(math.MaxInt64)

// app is the workload beside a sidecar, with a guard that is a process of its own: it works while it is told to, takes
// its time to stop, looks at validUntil by itself, and is killed by the guard at validUntil + the kill margin, even
// when frozen. All times are true. A frozen app does no work; one that wakes after its deadline is dead by then, as
// the guard was, or kills it before its first step. Guarded by the world's lock.
type app struct {
	name     string
	stopTime time.Duration
	strict   bool // it looks at validUntil before each step of its work, and never works past it

	working bool
	from    time.Duration // of the present span of work
	until   time.Duration // of the last word that it leads
	stopAt  time.Duration // it was told to stop and will have by then
	killAt  time.Duration
	frozen  bool
	froze   time.Duration
	spans   []span
}

// hear takes a word: whether to lead, until when, and when the guard kills (0: as before).
func (a *app) hear(now time.Duration, leads bool, until, kill time.Duration) {
	a.look(now)
	if kill > 0 {
		a.killAt = kill
	}
	switch {
	case leads && now < until:
		a.until, a.stopAt = until, forever
		if !a.working {
			a.working, a.from = true, now
		}
	case !leads && a.working && a.stopAt == forever:
		a.stopAt = now + a.stopTime
	}
}

// end is when the work ends if nothing more is heard.
func (a *app) end() time.Duration {
	own := a.until
	if !a.strict {
		own += a.stopTime
	}
	return min(a.stopAt, a.killAt, own)
}

// look brings the app's state to now.
func (a *app) look(now time.Duration) {
	switch {
	case !a.working:
	case a.frozen:
		a.working = now < a.killAt && (!a.strict || now < a.until)
	case a.end() <= now:
		a.close(a.end())
		a.working = false
	}
}

func (a *app) close(at time.Duration) {
	if at > a.from {
		a.spans = append(a.spans, span{from: a.from, to: at, who: a.name})
	}
}

func (a *app) works(now time.Duration) bool {
	a.look(now)
	return a.working
}

func (a *app) freeze(now time.Duration) {
	a.look(now)
	if a.frozen {
		return
	}
	if a.working {
		a.close(now)
	}
	a.frozen, a.froze = true, now
}

// thaw lets the app go on: what it had begun to do about a stop takes as long as it still would have.
func (a *app) thaw(now time.Duration) {
	if !a.frozen {
		return
	}
	a.look(now)
	a.frozen, a.from = false, now
	if a.stopAt != forever {
		a.stopAt = max(a.stopAt, a.froze) + now - a.froze
	}
	if a.until < now {
		a.until = now
	}
	a.look(now)
}

// die ends the app at once.
func (a *app) die(now time.Duration) {
	a.look(now)
	if a.working && !a.frozen {
		a.close(now)
	}
	a.working = false
}
