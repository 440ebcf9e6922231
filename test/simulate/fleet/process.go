//go:build linux

package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// errKilled is the answer to every request of a killed process.
var errKilled = errors.New("this process was killed")

// process is one run of the sidecar: the real elector on a store, a clock, a volume and a hold that the world can take
// away. A killed process loses all of them at that instant, and its clock jumps an hour ahead, so that its goroutines
// end by themselves. Requests that it had sent stay under way.
type process struct {
	w        *world
	c        *candidate
	pod      *Pod
	name     string
	number   int // of all processes of the world
	identity string
	began    time.Duration
	heirTo   time.Time // acquire time of the term that the hold let it resume when it began

	cfg     elector.Config
	elector *elector.Elector
	fanOut  *signals.FanOut
	waiter  *stopwait.Waiter
	hold    *elector.Hold
	cancel  context.CancelFunc
	silence context.CancelFunc // ends the fan-out
	over    chan struct{}      // closed when Run has returned

	// Guarded by the world's lock.
	dead, ended bool
	leaving     bool              // a SIGTERM is on its way, and its successor arranged
	leavesAt    bootclock.Instant // when it learned that its pod is about to end; 0: it did not
	gate        gate
	rules       rules
	ledUntil    bootclock.Instant // validUntil of the last leadership applied to the workload
	stop        killtime.Stop     // of that term's workload
}

// launch starts a process in a pod. With a hold it may resume the pod's last term. lateLock says that it had to wait
// for the lock, so it needs a new identity.
func (w *world) launch(p *Pod, hold *elector.Hold, lateLock bool) {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		if hold != nil {
			_ = hold.Close()
		}
		return
	}
	w.processes++
	r := &process{w: w, c: p.c, pod: p, number: 1000 + w.processes, hold: hold, over: make(chan struct{}), began: w.now(), heirTo: p.heir}
	r.name = fmt.Sprintf("%s/%d", p.name, r.number-1000)
	r.identity = p.identity
	if hold == nil || lateLock {
		r.identity = identityOf(p.c.name, w.processes)
	}
	if p.spoilt {
		r.heirTo, p.spoilt = time.Time{}, false
	}
	r.rules = newRules(r)
	p.process = r
	w.live = append(w.live, r)
	w.say(r.name, "life", "starts as %s", naming.Identity(r.identity).Name())
	w.mu.Unlock()

	cfg := w.plan.config()
	cfg.Identity, cfg.Priority = naming.Identity(r.identity), p.c.slot.priority
	r.cfg = cfg
	random := rand.New(rand.NewPCG(w.plan.Seed, uint64(r.number)))
	deps := elector.Deps{
		Store: r, Clock: r, Rand: random.Float64, Log: w.logOf(r.name, "log"),
	}
	if hold != nil {
		deps.Hold = holdFile{hold, r}
	}
	r.equip()
	var err error
	if r.elector, err = elector.New(cfg, deps); err != nil {
		panic(err)
	}
	r.c.reportHealth(r)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	signalling, silence := context.WithCancel(context.Background())
	r.silence = silence
	w.running.Go(func() { r.run(ctx, signalling) })
}

// equip makes the signals to the workload, and the waiter for its stop.
func (p *process) equip() {
	outputs := []signals.Output{{Signal: documentSignal{p}}}
	if p.pod.app.kind.simulated() {
		outputs = append(outputs, signals.Output{Signal: targetSignal{p}})
	}
	log := p.w.logOf(p.name, "side")
	p.fanOut = signals.NewFanOut(log, sideClock{p, "fan-out"}, nil, outputs...)
	var sights []sight.Sight
	for _, e := range p.pod.app.kind.eyes(p.c.slot.health) {
		sights = append(sights, &lookout{p: p, eye: e})
	}
	p.waiter = stopwait.New(stopwait.Config{
		Clock: sideClock{p, "stop-waiter"}, Applied: p.fanOut.WaitApplied, StopTimeout: p.w.plan.StopTimeout, DrainTimeout: p.c.slot.drain,
		KillMargin: p.w.killMargin, Sights: sights, Log: log, Abandoned: func(elector.Drain, []string) {
			p.w.mu.Lock()
			defer p.w.mu.Unlock()
			if p.dead {
				return
			}
			p.w.tally.abandoned++
			p.w.say(p.name, "life", "waits no longer for the workload's stop")
		},
	})
}

// stopWait waits for the workload's stop, or where there is no workload, for the signals.
func (p *process) stopWait(ctx context.Context, d elector.Drain) elector.Outcome {
	// The waiting does not begin at the instant of a publication: chance would decide whether it waits for that one, too.
	// Publications that follow each other at once are 1 ns apart.
	time.Sleep(7 * time.Nanosecond)
	outcome := elector.WorkloadStopped
	if p.pod.app.kind != noWork {
		outcome = p.waiter.Wait(ctx, d)
	} else if p.fanOut.WaitApplied(ctx) != nil {
		return 0
	}
	p.pass(beforeStop)
	return outcome
}

// identityOf returns a candidate's identity: a name, and a UUID that counts.
func identityOf(name string, n int) string {
	return fmt.Sprintf("%s_00000000-0000-4000-8000-%012x", name, n)
}

// run runs the sidecar. The signals run from before the election begins until its last publication is applied.
func (p *process) run(ctx, signalling context.Context) {
	var fanOut sync.WaitGroup
	fanOut.Go(func() { p.fanOut.Run(signalling) })
	err := p.elector.Run(ctx, elector.Outputs{Publish: p.publish, StopWait: p.stopWait, Wished: p.wished})
	last, cancel := context.WithTimeout(signalling, 2*time.Second)
	_ = p.fanOut.WaitApplied(last)
	cancel()
	p.silence()
	fanOut.Wait()
	p.w.mu.Lock()
	p.ended = true
	p.openLocked()
	dead := p.dead
	if !dead {
		p.w.say(p.name, "life", "ended: %v", err)
		p.w.must(err == nil, "end", "Run of %s returned %v", p.name, err)
		p.depart()
	}
	p.w.mu.Unlock()
	if p.hold != nil && !dead {
		_ = p.hold.Close()
	}
	close(p.over)
}

// kill ends the process as SIGKILL does.
func (p *process) kill() {
	p.w.mu.Lock()
	if p.dead || p.ended {
		p.w.mu.Unlock()
		return
	}
	p.dead = true
	p.w.say(p.name, "life", "killed")
	p.openLocked()
	p.depart()
	p.w.mute[p.name] = true
	p.w.mu.Unlock()
	if p.hold != nil {
		_ = p.hold.Close()
	}
	p.cancel()
	p.silence()
}

// depart ends the process's HTTP answers, and lets a child's guard see that its sidecar is gone. The caller holds the world's lock.
func (p *process) depart() {
	if p.pod.process == p {
		p.pod.answer.end(p.w.now())
		p.pod.app.orphan(p.w.now(), p.w.chance.span(p.number, "orphan", p.w.now(), 5*time.Millisecond))
	}
}

// terminate sends SIGTERM, which a frozen process takes when it thaws. It returns once the process has taken it.
func (p *process) terminate() {
	p.pass(beforeSignal)
	p.w.sayLocking(p.name, "life", "SIGTERM")
	p.cancel()
}

// leaves reports whether a SIGTERM is on its way to the process already. From now on, one is.
func (p *process) leaves() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	already := p.leaving
	p.leaving = true
	return already
}

// leave tells the process that its pod is about to end. A frozen one takes it when it thaws.
func (p *process) leave() {
	p.passAs(beforeOrder, "leave")
	p.w.mu.Lock()
	p.w.say(p.name, "life", "its pod is about to end")
	if p.leavesAt == 0 {
		p.leavesAt = p.c.clock.boot(p.w.now())
	}
	p.w.mu.Unlock()
	p.elector.Leave()
}

// stepDown asks for a handover, as an HTTP call would.
func (p *process) stepDown(cause string) {
	p.passAs(beforeOrder, cause)
	p.orderStepDown(cause)
}

// orderStepDown gives the order itself.
func (p *process) orderStepDown(cause string) {
	err := p.elector.StepDown(cause)
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if err == nil && !p.dead {
		p.w.say(p.name, "life", "asked to step down: %s", cause)
	}
}

func (p *process) gone() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead || p.ended
}
