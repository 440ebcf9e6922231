//go:build linux

package simulate

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

// pod is what outlives a sidecar process: the signal directory with its word and its hold, the identity, and the app.
// Guarded by the world's lock.
type pod struct {
	w        *world
	c        *candidate
	name     string
	identity string
	dir      string   // "": no signal directory
	retired  bool     // nothing starts here any more
	process  *process // the last one that was started
	app      app

	word      leadership.Leadership // what the app reads
	wordUntil time.Duration         // true time of its validUntil
	spans     []span                // in which the app is told to lead
	past      map[string]bool       // tokens whose term is over
	highest   bootclock.Instant     // the latest validUntil ever published
	sends     map[int64]sending     // by renew time in microseconds, which no two writes share
	acquired  time.Time             // of the last take that was sent
	dropped   map[time.Time]bool    // terms, by acquire time, that ended or began to drain
}

// newPod makes a pod of the candidate; with a signal directory, unless it is a stranger's.
func (c *candidate) newPod(stranger bool) *pod {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.podCount++
	p := &pod{
		w: c.w, c: c, name: fmt.Sprintf("%s.%d", c.name, c.w.podCount), identity: identityOf(c.name, 1_000_000+c.w.podCount),
		past: map[string]bool{}, sends: map[int64]sending{}, dropped: map[time.Time]bool{},
	}
	p.app = app{stopTime: c.slot.Stop, strict: c.slot.Settle == stopsByDeadline, name: p.name}
	if !stranger {
		p.dir = filepath.Join(c.w.dir, p.name)
		if err := os.Mkdir(p.dir, 0o700); err != nil {
			panic(err)
		}
		c.pod = p
	}
	c.w.pods = append(c.w.pods, p)
	return p
}

// start runs a sidecar in the pod, as soon as the lock is free. Nothing starts while a restored store counts versions
// that the fleet has seen before: a process that begins then knows of no alarm, and the mend in the documentation (all
// replicas are restarted once none works) keeps that from happening.
func (p *pod) start() { p.tryStart(false) }

func (p *pod) tryStart(late bool) {
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
	hold, err := elector.OpenHold(p.dir, leaseName)
	if err != nil {
		p.w.after(again, func() { p.tryStart(true) })
		return
	}
	p.w.launch(p, hold, late)
}

// publish takes a word into the volume.
func (p *process) publish(l leadership.Leadership) {
	p.pass(beforeWord)
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.dead {
		return
	}
	p.w.say(p.name, "word", "%s", describe(l))
	p.judge(l)
	p.pod.hear(l)
}

// hear puts the word where the app reads it.
func (p *pod) hear(l leadership.Leadership) {
	now := p.w.now()
	renewed := l.IsLeader && p.word.IsLeader && p.word.Token == l.Token && now < p.wordUntil
	if p.word.IsLeader && !renewed {
		p.endTold(now)
	}
	p.word, p.wordUntil = l, 0
	var kill time.Duration
	if !l.ValidUntil.IsZero() {
		p.wordUntil = p.c.clock.trueTime(l.ValidUntil)
		kill = p.c.clock.trueTime(l.ValidUntil.Add(p.w.killMargin))
	}
	if l.IsLeader && !renewed && now < p.wordUntil {
		p.spans = append(p.spans, span{from: now, to: forever, who: p.name, token: l.Token})
	}
	p.app.hear(now, l.IsLeader, p.wordUntil, kill)
}

// endTold closes the span in which the app is told to lead, at the latest when that word ran out.
func (p *pod) endTold(now time.Duration) {
	if n := len(p.spans); n > 0 && p.spans[n-1].to == forever {
		p.spans[n-1].to = min(now, p.wordUntil)
	}
}

// tells reports whether a reader of the volume is told, now, to lead.
func (p *pod) tells() bool { return p.word.IsLeader && p.w.now() < p.wordUntil }

// stopped reports whether the app has stopped, as the sidecar of this candidate can tell.
func (p *pod) stopped(until bootclock.Instant) bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	now := p.w.now()
	if p.c.slot.Settle == stopsByDeadline {
		return !p.c.clock.boot(now).Before(until)
	}
	return !p.app.works(now)
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

// supported reports whether a write of this pod, by whichever of its processes, that the store took carries validity to
// until (I2).
func (p *pod) supported(until bootclock.Instant) bool {
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
