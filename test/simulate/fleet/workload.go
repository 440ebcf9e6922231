//go:build linux

package fleet

import (
	"math"
	"time"
)

// forever is the end of what has none yet.
const forever = time.Duration(math.MaxInt64)

// workload is a kind of workload: how it learns that it has to stop, who kills it, and who sees it.
type workload string

const (
	noWork       workload = "nothing to stop"
	childWork    workload = "a child of the sidecar's, with a guard" // dies with the sidecar
	processWork  workload = "a process, with a guard"                // outlives the sidecar
	lockWork     workload = "holds the run lock, honours validUntil" // nobody kills it, and it never works past its deadline
	carelessWork workload = "holds the run lock, looks at no clock"  // nobody kills it: nothing is promised past its deadline
	unseenWork   workload = "nobody sees it, honours validUntil"     // it may report its stop
	workerWork   workload = "a worker, which reports its stop"       // see Worker
)

// simulated reports whether the workload is an app.
func (k workload) simulated() bool { return k != noWork && k != workerWork }

// guarded reports whether something kills it at its deadline.
func (k workload) guarded() bool { return k == childWork || k == processWork }

// strict reports whether it looks at its deadline before each step of its work, and never works past it.
func (k workload) strict() bool { return k == lockWork || k == unseenWork }

// locks reports whether it holds the run lock while it works.
func (k workload) locks() bool { return k == lockWork || k == carelessWork }

// app is the workload beside a sidecar: a main process and the workers that it leaves. It works while its signal says that it leads, and
// needs some time to stop. Where it is guarded, a guard that is a process of its own kills all of it, even when frozen, up
// to half a kill margin after the last deadline that the guard got. All times are true. A frozen app does no work, but
// is alive. Guarded by the world's lock.
type app struct {
	name     string
	kind     workload
	stopTime time.Duration // from its signal to the end of its main process
	workers  time.Duration // how much longer the workers stay that it leaves
	killLag  time.Duration // from the guard's deadline to the end of the last process

	hangs   time.Duration // it ignores its signals until then
	working bool
	token   string        // of the term that it works for, or worked
	starter int           // the sidecar process that started it, or sent it its last signal
	from    time.Duration // of the present span of work
	honours time.Duration // until when it may work by what its signal said
	stopAt  time.Duration // its stop was signalled, and its main process ends then
	killAt  time.Duration
	frozen  bool
	froze   time.Duration
	spans   []span
	changed chan struct{} // closed, and replaced, when its end may have moved
}

// applied is a leadership as the workload's signal applies it, in true time.
type applied struct {
	leads   bool
	token   string
	until   time.Duration // its validUntil, which may be a drain's; 0: none
	kill    time.Duration // the guard's deadline; 0: as before
	starter int
}

// apply applies a leadership.
func (a *app) apply(now time.Duration, h applied) {
	a.update(now)
	if a.kind == childWork && a.starter != h.starter { // the child before dies with its sidecar
		a.die(now)
	}
	a.starter = h.starter
	if h.kill > 0 {
		a.killAt = h.kill
	}
	switch {
	case h.leads && now < h.until:
		if a.kind == carelessWork && a.working && !a.frozen && now > a.honours { // its work past its deadline is a span of its own
			a.close(now)
			a.from = now
		}
		a.honours, a.stopAt, a.token = h.until, forever, h.token
		if !a.working {
			a.working, a.from = true, now
		}
	case h.leads:
	case h.until > 0 && a.kind == lockWork: // it drains, and may work until the hold's validUntil
		a.honours = max(a.honours, h.until)
	}
	if !h.leads && a.working && a.stopAt == forever {
		a.stopAt = now + a.stopTime
		if now < a.hangs {
			a.stopAt = forever - 1
		}
	}
	a.notify()
}

// notify wakes the sights that look at the app.
func (a *app) notify() {
	if a.changed != nil {
		close(a.changed)
	}
	a.changed = make(chan struct{})
}

// mainEnd returns when the main process ends if nothing more is applied.
func (a *app) mainEnd() time.Duration {
	end := a.stopAt
	switch {
	case a.kind.strict():
		end = min(end, a.honours)
	case a.kind == carelessWork && end == forever: // it finds its document stale
		end = a.honours + a.stopTime
	}
	return min(end, a.killed())
}

// killed returns when the guard has killed all of it.
func (a *app) killed() time.Duration {
	if !a.kind.guarded() {
		return forever
	}
	return a.killAt + a.killLag
}

// end returns when the last process ends if nothing more is applied.
func (a *app) end() time.Duration {
	end := a.mainEnd()
	if a.workers > 0 && end < forever-a.workers {
		end += a.workers
	}
	return min(end, a.killed())
}

// update brings the app's state to now.
func (a *app) update(now time.Duration) {
	switch {
	case !a.working:
	case a.frozen && a.kind == unseenWork:
		a.working = now < a.honours // it will not work any more when it thaws
	case a.frozen:
		a.working = now < a.killed()
	case a.end() <= now:
		a.close(a.end())
		a.working = false
	}
}

// close ends a span of work. The part past its deadline of a careless app is marked: nothing is promised about it.
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

// lives reports whether any process of it is alive that works, or is frozen at its work.
func (a *app) lives(now time.Duration) bool {
	a.update(now)
	return a.working
}

func (a *app) freeze(now time.Duration) {
	a.update(now)
	if a.frozen {
		return
	}
	if a.working {
		a.close(now)
	}
	a.frozen, a.froze = true, now
	a.notify()
}

// thaw lets the app continue. A stop that it had begun takes the time that was left.
func (a *app) thaw(now time.Duration) {
	if !a.frozen {
		return
	}
	a.update(now)
	a.frozen, a.from = false, now
	if a.stopAt < forever-1 {
		a.stopAt = max(a.stopAt, a.froze) + now - a.froze
	}
	a.honours = max(a.honours, now)
	a.update(now)
	a.notify()
}

// die ends all of the app at once.
func (a *app) die(now time.Duration) {
	a.update(now)
	if a.working && !a.frozen {
		a.close(now)
	}
	a.working = false
	a.notify()
}

// orphan is called when the sidecar has died: the guard of a child kills it soon.
func (a *app) orphan(now, soon time.Duration) {
	if a.kind == childWork {
		a.killAt = min(a.killAt, now+soon-a.killLag)
		a.notify()
	}
}

// unhang ends what keeps the app from stopping.
func (a *app) unhang(now time.Duration) {
	a.hangs = min(a.hangs, now)
	if a.stopAt == forever-1 {
		a.update(now)
		a.stopAt = now + a.stopTime
		a.notify()
	}
}
