//go:build linux

package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// errKilled is what the elector of a killed process gets for an answer: nobody hears what it makes of it.
var errKilled = errors.New("this process was killed")

// process is one run of the sidecar: the real elector on a store, a clock, a volume and a hold that the world can take
// away. A killed one is cut off from all of them at that instant, its lock freed and its clock sent an hour ahead, and
// what is left of it runs out by itself; what it had sent lives on.
type process struct {
	w        *world
	c        *candidate
	pod      *pod
	name     string
	number   int // of all processes of the world
	identity string
	began    time.Duration
	heirTo   time.Time // the pod's last term, by acquire time, when this process began

	elector *elector.Elector
	hold    *elector.Hold
	cancel  context.CancelFunc
	over    chan struct{} // closed when Run has returned

	// Guarded by the world's lock.
	dead, ended bool
	leaving     bool // a SIGTERM is on its way, and its successor arranged
	gate        gate
	rules       rules
}

// launch starts a process in a pod. With a hold it may resume the pod's last term; lateLock says that it had to wait
// for the lock, which calls for a new identity.
func (w *world) launch(p *pod, hold *elector.Hold, lateLock bool) {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		if hold != nil {
			_ = hold.Close()
		}
		return
	}
	w.processes++
	r := &process{w: w, c: p.c, pod: p, number: 1000 + w.processes, hold: hold, over: make(chan struct{}), began: w.now(), heirTo: p.acquired}
	r.name = fmt.Sprintf("%s/%d", p.name, r.number-1000)
	r.identity = p.identity
	if hold == nil || lateLock {
		r.identity = identityOf(p.c.name, w.processes)
	}
	r.rules = newRules(r)
	p.process = r
	w.live = append(w.live, r)
	w.say(r.name, "life", "starts as %s", naming.Identity(r.identity).Name())
	w.mu.Unlock()

	cfg := w.plan.config()
	cfg.Identity, cfg.Priority = naming.Identity(r.identity), p.c.slot.Priority
	random := rand.New(rand.NewPCG(w.plan.Seed, uint64(r.number)))
	deps := elector.Deps{
		Store: r, Publish: r.publish, Hold: hold, Clock: r, Rand: random.Float64, Log: w.logOf(r.name),
	}
	if p.c.slot.Settle != stopsAtOnce {
		deps.StopWait = r.settle
	}
	var err error
	if r.elector, err = elector.New(cfg, deps); err != nil {
		panic(err)
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	w.running.Go(func() { r.run(ctx) })
}

// identityOf returns a candidate's identity: a name, and a UUID that counts.
func identityOf(name string, n int) string {
	return fmt.Sprintf("%s_00000000-0000-4000-8000-%012x", name, n)
}

func (p *process) run(ctx context.Context) {
	err := p.elector.Run(ctx)
	p.w.mu.Lock()
	p.ended = true
	p.openLocked()
	dead := p.dead
	if !dead {
		p.w.say(p.name, "life", "ended: %v", err)
	}
	p.w.mu.Unlock()
	if p.hold != nil && !dead {
		_ = p.hold.Close()
	}
	close(p.over)
}

// kill ends the process without a word.
func (p *process) kill() {
	p.w.mu.Lock()
	if p.dead || p.ended {
		p.w.mu.Unlock()
		return
	}
	p.dead = true
	p.w.say(p.name, "life", "killed")
	p.openLocked()
	p.w.mu.Unlock()
	if p.hold != nil {
		_ = p.hold.Close()
	}
	p.cancel()
}

// terminate sends SIGTERM, which a frozen process takes when it thaws. It returns once the process has taken it.
func (p *process) terminate() {
	p.pass(beforeSignal)
	p.w.mu.Lock()
	p.w.say(p.name, "life", "SIGTERM")
	p.w.mu.Unlock()
	p.cancel()
}

// leaves reports whether a SIGTERM is on its way to the process already; from now on, one is.
func (p *process) leaves() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	already := p.leaving
	p.leaving = true
	return already
}

// stepDown asks for a handover, as an HTTP call would.
func (p *process) stepDown(cause string) {
	p.pass(beforeOrder)
	if err := p.elector.StepDown(cause); err == nil {
		p.w.mu.Lock()
		p.w.say(p.name, "life", "asked to step down: %s", cause)
		p.w.mu.Unlock()
	}
}

func (p *process) gone() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead || p.ended
}

// Now implements [bootclock.Clock].
func (p *process) Now() bootclock.Instant {
	p.pass(beforeClock)
	p.w.mu.Lock()
	now := p.c.clock.boot(p.w.now())
	if p.dead {
		now = now.Add(time.Hour)
	}
	p.rules.clockRead = now
	p.w.mu.Unlock()
	p.pass(afterClock)
	return now
}

// Wall implements [bootclock.Clock].
func (p *process) Wall() time.Time {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.c.clock.wall(p.w.now())
}

// NewTimer returns a timer as the kernel's: it runs on while the process is frozen.
func (p *process) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(p.kernelNow, 0) }

// kernelNow is the clock as the kernel reads it, frozen process or not.
func (p *process) kernelNow() bootclock.Instant {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	now := p.c.clock.boot(p.w.now())
	if p.dead {
		now = now.Add(time.Hour)
	}
	return now
}

// settle waits until the app has stopped, as the pod sees it.
func (p *process) settle(ctx context.Context, d elector.Drain) elector.Outcome {
	for ctx.Err() == nil && !p.gone() && !p.pod.stopped(d.Until) {
		t := time.NewTimer(p.w.chance.span(p.number, "look", p.w.now(), 20*time.Millisecond))
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	p.pass(beforeSettle)
	return elector.WorkloadStopped
}
