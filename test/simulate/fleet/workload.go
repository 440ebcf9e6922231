//go:build linux

package fleet

import (
	"math"
	"time"
)

// forever is the end of what has none yet.
const forever = time.Duration(math.MaxInt64)

// workload is what runs beside a sidecar: how it learns that it has to stop, who kills it, and who sees it.
type workload string

const (
	noWork       workload = "nothing to stop"
	childWork    workload = "a child of the sidecar's, with a guard" // dies with the sidecar
	processWork  workload = "a process, with a guard"                // outlives the sidecar
	lockWork     workload = "holds the run lock, honours validUntil" // nobody kills it, and it never works past its deadline
	carelessWork workload = "holds the run lock, looks at no clock"  // nobody kills it: past its deadline it is outside the promise
	unseenWork   workload = "nobody sees it, honours validUntil"     // it may report its stop
)

// guarded reports whether something kills it at its deadline.
func (k workload) guarded() bool { return k == childWork || k == processWork }

// strict reports whether it looks at its deadline before each step of its work, and never works past it.
func (k workload) strict() bool { return k == lockWork || k == unseenWork }

// locks reports whether it holds the run lock while it works.
func (k workload) locks() bool { return k == lockWork || k == carelessWork }

// app is the workload beside a sidecar: a main process and the workers that it leaves. It works while it is told to, and
// takes its time to stop. Where it is guarded, a guard that is a process of its own kills all of it, even when frozen, up
// to half a kill margin after the deadline that the guard was told last. All times are true. A frozen app does no work, and
// lives. Guarded by the world's lock.
type app struct {
	name     string
	kind     workload
	stopTime time.Duration // from its signal to the end of its main process
	workers  time.Duration // how much longer the workers stay that it leaves
	killLag  time.Duration // from the guard's deadline to the end of the last process

	hangs   time.Duration // its signals are of no use until then
	working bool
	token   string        // of the term that it works for, or worked
	starter int           // the sidecar process that started or told it
	from    time.Duration // of the present span of work
	until   time.Duration // of the last word that it leads
	honours time.Duration // until when a reader may believe that it may work; not before until
	stopAt  time.Duration // it was told to stop, and its main process ends then
	killAt  time.Duration
	frozen  bool
	froze   time.Duration
	spans   []span
	changed chan struct{} // closed, and replaced, when its end may have moved
}

// hearing is a level as the workload's signal takes it, in true time.
type hearing struct {
	leads   bool
	token   string
	until   time.Duration // the validUntil, or the hold's; 0: none
	kill    time.Duration // the guard's deadline; 0: as before
	starter int
}

// hear takes a level.
func (a *app) hear(now time.Duration, h hearing) {
	a.look(now)
	if a.kind == childWork && a.starter != h.starter { // the one before dies with its sidecar
		a.die(now)
	}
	a.starter = h.starter
	if h.kill > 0 {
		a.killAt = h.kill
	}
	switch {
	case h.leads && now < h.until:
		if a.kind == carelessWork && a.working && !a.frozen && now > a.honours { // what it did past its deadline stays apart
			a.close(now)
			a.from = now
		}
		a.until, a.honours, a.stopAt, a.token = h.until, h.until, forever, h.token
		if !a.working {
			a.working, a.from = true, now
		}
	case h.leads:
	case h.until > 0 && a.kind == lockWork: // it drains, and may take the time that the hold gives
		a.honours = max(a.honours, h.until)
	}
	if !h.leads && a.working && a.stopAt == forever {
		a.stopAt = now + a.stopTime
		if now < a.hangs {
			a.stopAt = forever - 1
		}
	}
	a.note()
}

// note wakes who looks at the app.
func (a *app) note() {
	if a.changed != nil {
		close(a.changed)
	}
	a.changed = make(chan struct{})
}

// mainEnd is when the main process ends if nothing more is heard.
func (a *app) mainEnd() time.Duration {
	end := a.stopAt
	switch {
	case a.kind.strict():
		end = min(end, a.honours)
	case a.kind == carelessWork && end == forever: // it finds its word stale
		end = a.honours + a.stopTime
	}
	return min(end, a.killed())
}

// killed is when the guard has killed all of it.
func (a *app) killed() time.Duration {
	if !a.kind.guarded() {
		return forever
	}
	return a.killAt + a.killLag
}

// end is when the last process ends if nothing more is heard.
func (a *app) end() time.Duration {
	end := a.mainEnd()
	if a.workers > 0 && end < forever-a.workers {
		end += a.workers
	}
	return min(end, a.killed())
}

// look brings the app's state to now.
func (a *app) look(now time.Duration) {
	switch {
	case !a.working:
	case a.frozen && a.kind == unseenWork:
		a.working = now < a.honours // it will not work any more when it wakes
	case a.frozen:
		a.working = now < a.killed()
	case a.end() <= now:
		a.close(a.end())
		a.working = false
	}
}

// close ends a span of work. What a careless app does past its deadline is marked: nobody promises anything about it.
func (a *app) close(at time.Duration) {
	limit := at
	if a.kind == carelessWork {
		limit = min(at, max(a.honours, a.from))
	}
	if limit > a.from {
		a.spans = append(a.spans, span{from: a.from, to: limit, who: a.name})
	}
	if at > limit {
		a.spans = append(a.spans, span{from: limit, to: at, who: a.name, pastDeadline: true})
	}
}

// lives reports whether any process of it lives that works, or is frozen at its work.
func (a *app) lives(now time.Duration) bool {
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
	a.note()
}

// thaw lets the app go on: what it had begun to do about a stop takes as long as it still would have.
func (a *app) thaw(now time.Duration) {
	if !a.frozen {
		return
	}
	a.look(now)
	a.frozen, a.from = false, now
	if a.stopAt < forever-1 {
		a.stopAt = max(a.stopAt, a.froze) + now - a.froze
	}
	a.until, a.honours = max(a.until, now), max(a.honours, now)
	a.look(now)
	a.note()
}

// die ends all of the app at once.
func (a *app) die(now time.Duration) {
	a.look(now)
	if a.working && !a.frozen {
		a.close(now)
	}
	a.working = false
	a.note()
}

// orphan is told that the sidecar has died: the guard of a child kills it soon.
func (a *app) orphan(now, soon time.Duration) {
	if a.kind == childWork {
		a.killAt = min(a.killAt, now+soon-a.killLag)
		a.note()
	}
}

// unhang ends what keeps the app from stopping.
func (a *app) unhang(now time.Duration) {
	a.hangs = min(a.hangs, now)
	if a.stopAt == forever-1 {
		a.look(now)
		a.stopAt = now + a.stopTime
		a.note()
	}
}
