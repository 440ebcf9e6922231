//go:build linux

package simulate

import (
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Now implements [bootclock.Clock]. It is the elector's.
func (p *process) Now() bootclock.Instant {
	p.pass(beforeClock)
	p.w.mu.Lock()
	now := p.boot()
	p.rules.clockRead = now
	p.w.mu.Unlock()
	p.pass(afterClock)
	return now
}

// boot reads the machine's boot clock: an hour ahead for a process that is dead, so that what is left of it runs out. The
// caller holds the world's lock.
func (p *process) boot() bootclock.Instant {
	now := p.c.clock.boot(p.w.now())
	if p.dead {
		now = now.Add(time.Hour)
	}
	return now
}

// Wall implements [bootclock.Clock].
func (p *process) Wall() time.Time {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.c.clock.wall(p.w.now())
}

// NewTimer implements [bootclock.Clock].
func (p *process) NewTimer() bootclock.Timer { return newKernelTimer(p, "elector") }

// sideClock is the same clock as the signals or the stop-waiter read it: the rules look at the elector's readings alone.
type sideClock struct {
	*process
	whose string
}

// Now implements [bootclock.Clock].
func (c sideClock) Now() bootclock.Instant {
	c.passAs(beforeLook, c.whose)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.boot()
}

// NewTimer implements [bootclock.Clock].
func (c sideClock) NewTimer() bootclock.Timer { return newKernelTimer(c.process, c.whose) }

// kernelTimer is a timer of the machine's boot clock. It runs on while its process is frozen, as the kernel's do, and wakes
// its owner a moment late: timers of several owners for one instant come one after the other.
type kernelTimer struct {
	p     *process
	whose string
	fired chan struct{}

	mu    sync.Mutex
	timer *time.Timer
}

func newKernelTimer(p *process, whose string) *kernelTimer {
	return &kernelTimer{p: p, whose: whose, fired: make(chan struct{}, 1)}
}

// C implements [bootclock.Timer].
func (t *kernelTimer) C() <-chan struct{} { return t.fired }

// Reset implements [bootclock.Timer].
func (t *kernelTimer) Reset(at bootclock.Instant) {
	t.Stop()
	select {
	case <-t.fired:
	default:
	}
	if at.IsZero() || at.Sub(bootclock.Instant(t.p.c.clock.skew)) > 100*time.Hour {
		return // longer than any world
	}
	t.p.w.mu.Lock()
	now, over := t.p.w.now(), !t.p.boot().Before(at)
	t.p.w.mu.Unlock()
	if over {
		t.fire()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	late := t.p.w.chance.span(t.p.number, "timer of the "+t.whose, time.Duration(at), 50*time.Microsecond)
	t.timer = time.AfterFunc(t.p.c.clock.trueTime(at)-now+late, t.fire)
}

func (t *kernelTimer) fire() {
	select {
	case t.fired <- struct{}{}:
	default:
	}
}

// Stop implements [bootclock.Timer].
func (t *kernelTimer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}
