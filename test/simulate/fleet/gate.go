//go:build linux

package fleet

import (
	"context"
	"hash/fnv"
	"time"
)

// boundary is a place at which a process can be frozen: every call that the elector makes outwards.
type boundary string

const (
	beforeClock   boundary = "before the clock is read"
	afterClock    boundary = "after the clock was read"
	beforeSend    boundary = "before a request is sent"
	beforeReply   boundary = "before a reply is taken"
	beforeEvent   boundary = "before a watch event is taken"
	beforePublish boundary = "before a leadership is published"
	beforeStop    boundary = "before the workload's stop is reported"
	beforeEnd     boundary = "before a watch's end is taken"
	beforeOrder   boundary = "before an order is taken"
	beforeSignal  boundary = "before a signal is taken"
	beforeLook    boundary = "before a signal or a sight looks at the clock"
	beforeApply   boundary = "before a signal is applied"
)

// boundaries are those at which a fault may freeze a process.
var boundaries = []boundary{beforeClock, afterClock, beforeSend, beforeReply, beforeEvent, beforePublish, beforeApply, beforeStop}

// gate freezes a process at its boundaries, as SIGSTOP and the cgroup freezer do: nothing of it continues until the thaw, but
// its requests under way, its app and its deadlines do. Guarded by the world's lock.
type gate struct {
	thawed  chan struct{} // nil while the process runs
	until   time.Duration
	last    time.Duration // when it last thawed
	trap    boundary      // freeze when this is reached,
	trapFor time.Duration // for that long,
	trapped func()        // and call this half-way, unless nil
}

// freeze freezes the process for d, or longer if it is frozen already.
func (p *process) freeze(d time.Duration) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.freezeLocked(d)
}

func (p *process) freezeLocked(d time.Duration) {
	if p.dead || p.ended {
		return
	}
	now := p.w.now()
	p.w.say(p.name, "life", "frozen for %v", d)
	p.gate.until = max(p.gate.until, now+d)
	if p.gate.thawed == nil {
		p.gate.thawed = make(chan struct{})
	}
	p.w.after(d, p.thaw)
}

// thaw lets the process continue once no freeze lasts any longer.
func (p *process) thaw() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.gate.thawed != nil && p.w.now() >= p.gate.until {
		p.openLocked()
	}
}

func (p *process) openLocked() {
	if p.gate.thawed == nil {
		return
	}
	p.w.say(p.name, "life", "thawed")
	close(p.gate.thawed)
	p.gate.thawed, p.gate.last = nil, p.w.now()
}

// trapAt freezes the process for d when it next reaches b, and calls do half-way through, unless do is nil.
func (p *process) trapAt(b boundary, d time.Duration, do func()) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.gate.trap, p.gate.trapFor, p.gate.trapped = b, d, do
}

// pass returns once the process may continue over b. Of its goroutines that wait for a thaw, the elector's loop goes first and the
// others follow one by one, so that the order is the same in every run.
func (p *process) pass(b boundary) { p.passAs(b, "") }

// passAs is pass for one of several that may wait at one boundary.
func (p *process) passAs(b boundary, who string) {
	for still := false; ; still = true {
		p.w.mu.Lock()
		if p.gate.trap == b && !p.dead && !still {
			p.w.mu.Unlock()
			time.Sleep(time.Nanosecond) // whatever else runs at this instant comes first, or it would race with the freeze
			continue
		}
		if p.gate.trap == b && !p.dead {
			p.gate.trap = ""
			p.w.say(p.name, "life", "trapped %s", b)
			p.freezeLocked(p.gate.trapFor)
			if do := p.gate.trapped; do != nil {
				p.gate.trapped = nil
				p.w.after(p.gate.trapFor/2, do)
			}
		}
		thawed := p.gate.thawed
		p.w.mu.Unlock()
		if thawed == nil {
			return
		}
		<-thawed
		if b != beforeClock && b != afterClock && b != beforePublish {
			p.rest("thaw "+string(b)+who, 50*time.Microsecond)
		}
	}
}

// frozenSince reports whether the process was frozen at any time since at. The caller holds the world's lock.
func (p *process) frozenSince(at time.Duration) bool {
	return p.gate.thawed != nil || p.gate.last > 0 && p.gate.last >= at
}

// rest lets up to most of true time pass, as scheduling does. Two goroutines that rest for different reasons never go on at the
// same nanosecond: the runtime would choose which one goes first.
func (p *process) rest(what string, most time.Duration) {
	now := p.w.now()
	span, kind := p.w.chance.span(p.number, what, now, most), fnv.New64a()
	_, _ = kind.Write([]byte(what))
	const kinds = 64
	span += (time.Duration(kind.Sum64()%kinds) - (now+span)%kinds + kinds) % kinds
	time.Sleep(span)
}

// restUnless is rest, but returns false at once when ctx ends.
func (p *process) restUnless(ctx context.Context, what string, most time.Duration) bool {
	t := time.NewTimer(p.w.chance.span(p.number, what, p.w.now(), most))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
