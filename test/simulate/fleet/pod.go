//go:build linux

package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Pod is what outlives a sidecar process: the signal directory with its document and its hold, the identity, and the app.
// Guarded by the world's lock.
type Pod struct {
	w        *world
	c        *candidate
	number   int // in its world, from 1
	name     string
	identity string
	dir      string   // "": no signal directory
	twin     bool     // it has the identity of another pod, and a copy of its directory
	spoilt   bool     // its hold is void, until a process has written it
	retired  bool     // nothing starts here any more
	process  *process // the last one that was started
	app      app
	worker   Worker // in place of the app, or nil
	dismiss  func() // ends it
	gone     bool

	answer    reader                // who asks the sidecar
	document  reader                // who reads the file,
	file      leadership.Leadership // which says this
	published leadership.Leadership // the last,
	publisher *process              // and by whom
	past      map[string]bool       // tokens whose term is over
	highest   bootclock.Instant     // the latest validUntil ever published
	sends     map[int64]sending     // by renew time in microseconds, which no two writes share
	acquired  time.Time             // acquire time of the last take that was sent
	heir      time.Time             // the acquire time of the term that the hold on disk lets a process resume; zero: none
	dropped   map[time.Time]bool    // terms, by acquire time, that ended or began to drain, as their hold says
}

// reader is somebody who asks or reads whether the pod leads: what it finds at present, and when it found that the pod leads.
type reader struct {
	leads bool
	token string
	until time.Duration
	spans []span
}

// read takes a new value. It ends the span of the value before, unless it renews it.
func (r *reader) read(now time.Duration, who string, leads bool, token string, until time.Duration) {
	renewed := leads && r.leads && r.token == token && now < r.until
	if r.leads && !renewed {
		r.end(now)
	}
	r.leads, r.token, r.until = leads, token, until
	if leads && !renewed && now < until {
		r.spans = append(r.spans, span{from: now, to: forever, who: who})
	}
}

// end closes the span in which this reader finds that the pod leads, at the latest at its validUntil.
func (r *reader) end(now time.Duration) {
	if n := len(r.spans); n > 0 && r.spans[n-1].to == forever {
		r.spans[n-1].to = min(now, r.until)
	}
	r.leads = false
}

// newPod makes a pod of the candidate; with a signal directory, unless it is a stranger's.
func (c *candidate) newPod(stranger bool) *Pod {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.newPodLocked(stranger)
}

func (c *candidate) newPodLocked(stranger bool) *Pod {
	c.w.podCount++
	p := &Pod{
		w: c.w, c: c, number: c.w.podCount, name: fmt.Sprintf("%s.%d", c.name, c.w.podCount), identity: identityOf(c.name, 1_000_000+c.w.podCount),
		past: map[string]bool{}, sends: map[int64]sending{}, dropped: map[time.Time]bool{},
	}
	p.app = app{
		name: p.name, kind: c.slot.work, stopTime: c.slot.stop, workers: c.slot.workers, killLag: c.slot.killLag,
	}
	if !stranger {
		p.dir = filepath.Join(c.w.dir, p.name)
		if err := os.Mkdir(p.dir, 0o700); err != nil {
			panic(err)
		}
		c.pod = p
	}
	c.w.pods = append(c.w.pods, p)
	p.hire()
	return p
}

// retire ends the pod's sidecar by SIGTERM, and starts none any more.
func (p *Pod) retire() {
	p.w.mu.Lock()
	p.retired = true
	q := p.process
	p.w.mu.Unlock()
	if q != nil && !q.gone() {
		p.w.spawn(q.terminate)
	}
}

// end ends all of the pod. The caller holds the world's lock.
func (p *Pod) end() {
	now := p.w.now()
	p.answer.end(now)
	p.document.end(now)
	p.app.die(now)
	p.gone = true
	if p.dismiss != nil {
		p.dismiss()
	}
}

// start runs a sidecar in the pod as soon as the lock is free. Nothing starts while a restored store gives out versions
// that the fleet has seen before: a process that begins then cannot raise the alarm, and the documented fix (restart all
// replicas once none works) keeps that from happening.
func (p *Pod) start() { p.tryStart(false) }

func (p *Pod) tryStart(late bool) {
	p.w.mu.Lock()
	restored, over := p.w.restored, p.w.closing || p.retired || p.dir != "" && p.c.pod != p
	p.w.mu.Unlock()
	again := 200*time.Millisecond + p.w.chance.span(p.c.number, "again", p.w.now(), time.Millisecond)
	switch {
	case over:
		return
	case restored:
		p.w.after(again, func() { p.tryStart(late) })
		return
	case p.dir == "":
		p.w.launch(p, nil, false)
		return
	}
	hold, err := elector.OpenHold(p.dir)
	if err != nil {
		p.w.after(again, func() { p.tryStart(true) })
		return
	}
	p.w.launch(p, hold, late)
}

// publish takes what the elector publishes. Whoever asks the sidecar gets it at once, and the fan-out takes it to the signals.
func (p *process) publish(l leadership.Leadership) {
	p.pass(beforePublish)
	p.w.mu.Lock()
	if p.dead {
		p.w.mu.Unlock()
		return
	}
	p.w.say(p.name, "state", "%s", describe(l))
	p.judge(l)
	p.pod.published, p.pod.publisher = l, p
	p.pod.answer.read(p.w.now(), p.pod.name, l.IsLeader, l.Token, p.trueEnd(l))
	p.w.mu.Unlock()
	p.waiter.Observe(l)
	p.fanOut.Publish(l)
	time.Sleep(time.Nanosecond) // the fan-out takes it before another publication of this instant can replace it, or chance would decide
}

// trueEnd returns the true time of validUntil, 0 where there is none.
func (p *process) trueEnd(l leadership.Leadership) time.Duration {
	if l.ValidUntil.IsZero() {
		return 0
	}
	return p.c.clock.trueTime(l.ValidUntil)
}

// leads reports whether anybody who asks the pod, or reads its document, finds now that it leads.
func (p *Pod) leads() bool {
	now := p.w.now()
	return p.answer.leads && now < p.answer.until || p.document.leads && now < p.document.until
}

func describe(l leadership.Leadership) string {
	switch {
	case l.IsLeader:
		return fmt.Sprintf("leads by token %s until %s", l.Token, l.ValidUntil)
	case !l.ValidUntil.IsZero():
		return fmt.Sprintf("drains until %s", l.ValidUntil)
	}
	return fmt.Sprintf("does not lead; leader %q", l.Leader)
}

// sending is a write on its way: as whom, and when by the boot clock.
type sending struct {
	holder string
	at     bootclock.Instant
}

// supported reports whether the store has applied a write of any process of this pod that carries validity to until (I2).
func (p *Pod) supported(until bootclock.Instant) bool {
	for micro, s := range p.sends {
		if !s.at.Add(p.w.cfg.RenewDeadline).Before(until) && p.w.applied[stamp{s.holder, micro}] {
			return true
		}
	}
	return false
}

// stamp names a write: its holder, and its renew time in microseconds, which no two writes share.
type stamp struct {
	holder string
	micro  int64
}

func stampOf(r lease.Record) stamp { return stamp{r.Holder, r.RenewTime.UnixMicro()} }
