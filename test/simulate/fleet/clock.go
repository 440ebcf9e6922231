//go:build linux

package fleet

import (
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// machineClock is one candidate's boot clock and wall clock, as functions of true time. The boot clock runs at a rate of its own.
// The wall clock follows it, unless somebody steps or stops it.
type machineClock struct {
	skew time.Duration // of the boot clock at true time 0
	ppm  int64         // how much faster than true time it runs, in parts per million

	wallStep time.Duration
	wallStop bootclock.Instant // unless 0, the wall clock stands at this boot time
}

var wallEpoch = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func (c *machineClock) boot(at time.Duration) bootclock.Instant {
	return bootclock.Instant(c.skew + at + at/1_000_000*time.Duration(c.ppm) + at%1_000_000*time.Duration(c.ppm)/1_000_000)
}

// trueTime returns the first true instant at which the boot clock shows i or more.
func (c *machineClock) trueTime(i bootclock.Instant) time.Duration {
	at := time.Duration(float64(i.Sub(bootclock.Instant(c.skew))) / (1 + float64(c.ppm)/1e6))
	for c.boot(at) >= i {
		at--
	}
	for c.boot(at) < i {
		at++
	}
	return at
}

func (c *machineClock) wall(at time.Duration) time.Time {
	boot := c.boot(at)
	if c.wallStop != 0 {
		boot = c.wallStop
	}
	return wallEpoch.Add(boot.Sub(bootclock.Instant(c.skew)) + c.wallStep)
}

// Now implements [bootclock.Clock]. A process is the elector's clock.
func (p *process) Now() bootclock.Instant {
	p.pass(beforeClock)
	p.w.mu.Lock()
	now := p.boot()
	p.reads(now)
	p.w.mu.Unlock()
	p.pass(afterClock)
	return now
}

// boot reads the machine's boot clock. For a dead process it is an hour ahead, so that its goroutines end. The
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

// sideClock is the same clock for the signals and the stop-waiter: the rules look at the elector's readings alone.
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

// kernelTimer is a timer of the machine's boot clock. It runs while its process is frozen, as the kernel's do. It fires
// a moment late, so that timers of several owners for one instant come one after the other.
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
