package elector

import (
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// simNode is one candidate with its workload, on a machine of its own.
type simNode struct {
	w    *world
	name string
	cfg  Config
	rate float64
	skew time.Duration
	wall time.Duration // of the wall clock, beyond the boot clock

	m        *machine
	alive    bool
	life     int // counts processes
	pod      int // a new one has a new identity and an empty hold
	hold     HoldState
	request  int
	watch    int
	wake     int
	steps    int
	seen     map[lease.Version]bootclock.Instant
	lowest   bootclock.Instant // of notBefore
	level    leadership.Leadership
	appUntil time.Duration // the workload works until then, at the latest
	working  bool
	app      int

	read bool // the process has seen the Lease

	frozenUntil, stalledUntil, cutRequests, cutReplies, lateUntil, fullUntil time.Duration
}

func (n *simNode) boot() bootclock.Instant {
	return bootclock.Instant(n.skew) + bootclock.Instant(float64(n.w.now)*n.rate)
}

func (n *simNode) trueTime(i bootclock.Instant) time.Duration {
	return time.Duration(float64(i-bootclock.Instant(n.skew)) / n.rate)
}

func (n *simNode) moment() moment {
	return moment{boot: n.boot(), wall: time.Unix(1_800_000_000, 0).Add(time.Duration(n.boot()) + n.wall)}
}

func (n *simNode) deaf() bool { return n.cutReplies > n.w.now }

func (n *simNode) told(at time.Duration) bool {
	return n.level.IsLeader && at < n.trueTime(n.level.ValidUntil)
}

// start begins a process in the pod, with the hold that its predecessor left.
func (n *simNode) start() {
	n.life++
	n.alive = true
	cfg := n.cfg
	cfg.Identity = naming.Identity(fmt.Sprintf("%s_%d", n.name, n.pod))
	hold := n.hold
	hold.Leading = hold.Leading && n.boot() < hold.ValidUntil
	n.m = newMachine(cfg, "boot", &hold, n.w.rng.Float64)
	n.read = false
	n.seen, n.lowest = map[lease.Version]bootclock.Instant{}, 0
	n.watch, n.request = n.watch+1, n.request+1
	n.w.trace("%s starts as %s", n.name, cfg.Identity)
	n.take(tick{})
}

// kill ends the process; its workload keeps what it was told, until that runs out.
func (n *simNode) kill(newPod bool, restart time.Duration) {
	if !n.alive {
		return
	}
	n.w.trace("%s is killed", n.name)
	n.alive = false
	n.watch, n.request, n.wake = n.watch+1, n.request+1, n.wake+1
	n.frozenUntil = 0
	if newPod {
		n.pod, n.hold = n.pod+1, HoldState{}
	}
	n.w.after(restart, n.start)
}

// take gives the machine an event, once the process is not frozen.
func (n *simNode) take(e event) {
	if !n.alive {
		return
	}
	if n.frozenUntil > n.w.now {
		life := n.life
		n.w.after(n.frozenUntil-n.w.now, func() {
			if life == n.life {
				n.take(e)
			}
		})
		return
	}
	now := n.moment()
	n.see(now.boot, e)
	out, err := n.m.step(now, newest(n.m, e))
	if err != nil {
		n.w.violated("%s: %v", n.name, err)
		return
	}
	n.steps++
	n.carryOut(now, out)
}

// see keeps the candidate's own account of which version it first saw when, beside the machine's.
func (n *simNode) see(now bootclock.Instant, e event) {
	note := func(v lease.Version) {
		n.read = true
		if _, ok := n.seen[v]; !ok {
			n.seen[v] = now
		}
	}
	switch e := e.(type) {
	case changed:
		note(e.Record.Version)
	case replied:
		if e.err == nil {
			note(e.reply.Record.Version)
		}
	}
}

func (n *simNode) carryOut(now moment, out output) {
	if n.m.know.notBefore < n.lowest {
		n.w.violated("I9: notBefore of %s fell", n.name)
	}
	n.lowest = n.m.know.notBefore
	full := out.hold != nil && n.fullUntil > n.w.now
	if out.hold != nil && !full {
		n.hold = out.hold.HoldState
	}
	if out.leadership != nil {
		n.hear(now, *out.leadership)
	}
	for _, note := range out.notes {
		n.w.trace("%s: %s %v", n.name, note.text, note.attrs)
	}
	if out.stopWait != nil {
		n.drain(out.stopWait.number)
	}
	if out.watch != nil {
		n.openWatch(out.watch.version)
	}
	if out.request != nil {
		n.check(now, out.request)
		n.send(out.request)
	}
	if out.done {
		n.w.trace("%s is done: %v", n.name, out.err)
		n.alive = false
		n.watch, n.request = n.watch+1, n.request+1
		n.w.after(n.w.delay(2*time.Second), n.start)
		return
	}
	if full {
		n.take(holdFailed{})
		return
	}
	n.wake++
	wake := n.wake
	if out.wake == 0 {
		return
	}
	if out.wake <= now.boot {
		n.w.violated("%s asks to wake in the past", n.name)
	}
	n.w.after(n.trueTime(out.wake)-n.w.now+1, func() {
		if n.wake == wake {
			n.take(tick{})
		}
	})
}

// hear is the workload being told.
func (n *simNode) hear(now moment, l leadership.Leadership) {
	before := n.level
	n.level = l
	if l.IsLeader {
		if !n.read {
			n.w.violated("I14: %s is told to lead before its process has read the Lease", n.name)
		}
		if now.boot >= l.ValidUntil {
			n.w.violated("I1: %s is told to lead past its deadline", n.name)
		}
		if n.m.role == draining {
			n.w.violated("I10: %s leads while draining", n.name)
		}
		for _, o := range n.w.nodes {
			if o != n && o.told(n.w.now) {
				n.w.violated("two are told to lead: %s and %s", n.name, o.name)
			}
			if o != n && o.atWork() {
				n.w.violated("two are at work: %s and %s", n.name, o.name)
			}
		}
		if l.Token != before.Token {
			n.w.terms++
			if lease.Version(l.Token).Compare(n.w.tokens) <= 0 {
				n.w.violated("I6: token %s of %s after %s", l.Token, n.name, n.w.tokens)
			}
			n.w.tokens = lease.Version(l.Token)
		}
		n.working = true
		n.app++
	}
	if !l.IsLeader && before.IsLeader { // the workload takes its time to stop
		n.app++
		app := n.app
		n.w.after(n.w.delay(2*time.Second), func() {
			if n.app == app {
				n.working = false
			}
		})
	}
	if !l.ValidUntil.IsZero() { // whatever happens, it is dead by the hold's end and the kill margin (I11)
		n.appUntil = n.trueTime(l.ValidUntil.Add(n.cfg.KillMargin()))
	}
}

func (n *simNode) atWork() bool { return n.working && n.w.now < n.appUntil }

// drain tells the machine once the workload has stopped.
func (n *simNode) drain(number int) {
	life := n.life
	var look func()
	look = func() {
		if life != n.life || !n.alive {
			return
		}
		if n.atWork() {
			n.w.after(50*time.Millisecond, look)
			return
		}
		n.take(stopWaited{number, WorkloadStopped})
	}
	look()
}

func (n *simNode) openWatch(from lease.Version) {
	n.watch++
	v := &simWatch{n: n, number: n.watch, last: n.w.now}
	kept := n.w.store.watchers[:0]
	for _, o := range n.w.store.watchers {
		if o.n != n {
			kept = append(kept, o)
		}
	}
	n.w.store.watchers = kept
	n.w.after(n.w.delay(8*time.Millisecond), func() {
		if n.watch != v.number {
			return
		}
		if n.cutRequests > n.w.now || n.deaf() {
			return // hangs until silence is noticed
		}
		n.take(watchOpened{})
		n.w.store.watchers = append(n.w.store.watchers, v)
		if from == "" {
			if r := n.w.store.record; r != nil {
				v.send(lease.Event{Record: *r})
			}
			return
		}
		for _, e := range n.w.store.history {
			if e.Record.Version.Compare(from) > 0 {
				v.send(e)
			}
		}
	})
}

// check judges a request by what the candidate could know, not by what its machine believes.
func (n *simNode) check(now moment, r *request) {
	rec := r.record
	switch r.verb {
	case verbCreate:
		if rec.Holder != "" {
			n.w.violated("I4: %s creates a held Lease", n.name)
		}
	case verbTake:
		n.w.takeovers++
		old, first := n.m.know.record, n.seen[rec.Version]
		wait := max(n.cfg.Duration, old.Validity())
		if old.Foreign() {
			wait += n.cfg.ForeignGrace
		}
		resumes := n.m.inherited != nil && old.Holder == rec.Holder
		if !old.Released() && !resumes && now.boot.Sub(first) < wait {
			n.w.violated("I3: %s takes version %s, first seen %v ago", n.name, rec.Version, now.boot.Sub(first))
		}
		fallthrough
	default:
		if r.verb != verbGet && (rec.UID == "" || rec.Version == "") {
			n.w.violated("I4: %s writes without a condition", n.name)
		}
		if r.verb == verbRelease && n.atWork() {
			n.w.violated("I5, I13: %s releases while its workload works", n.name)
		}
		if r.verb == verbRelease && n.hold.Leading && now.boot < n.hold.ValidUntil {
			n.w.violated("I15: %s releases while its hold leads", n.name)
		}
	}
	if r.timeout <= 0 {
		n.w.violated("%s sends a request with no time left", n.name)
	}
}

func (n *simNode) send(r *request) {
	n.request++
	number, w := n.request, n.w
	answer := func(reply lease.Reply, err error) {
		if n.request == number && n.alive {
			n.request++
			n.take(replied{reply: reply, err: err})
		}
	}
	w.after(time.Duration(float64(r.timeout)/n.rate), func() { answer(lease.Reply{}, errTimeout) })
	there := w.delay(4 * time.Millisecond)
	switch {
	case n.lateUntil > w.now: // on its way for long: it may arrive when nobody waits for it any more
		there = w.delay(20 * time.Second)
	case n.cutRequests > w.now:
		return
	}
	w.after(there, func() {
		reply, err := w.store.perform(r)
		w.after(w.delay(4*time.Millisecond), func() {
			if !n.deaf() {
				answer(reply, err)
			}
		})
	})
}
