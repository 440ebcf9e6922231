//go:build linux

package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// errKilled is what the elector of a killed process gets for an answer: nobody hears what it makes of it.
var errKilled = errors.New("this process was killed")

// process is one run of the sidecar: the real elector on a store, a clock, a volume and a hold that the world can take
// away. A killed one is cut off from all of them at that instant, its lock freed and its clock sent an hour ahead, and
// what is left of it runs out by itself; what it had sent lives on.
type process struct {
	w        *world
	c        *candidate
	pod      *Pod
	name     string
	number   int // of all processes of the world
	identity string
	began    time.Duration
	heirTo   time.Time // the term, by acquire time, that the hold let it resume when it began

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
	leaving     bool // a SIGTERM is on its way, and its successor arranged
	gate        gate
	rules       rules
	ledUntil    bootclock.Instant // of the last level by which the workload was told to lead
	stop        killtime.Stop     // of that term's workload
}

// launch starts a process in a pod. With a hold it may resume the pod's last term; lateLock says that it had to wait
// for the lock, which calls for a new identity.
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
	r.c.tellHealth(r)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	telling, silence := context.WithCancel(context.Background())
	r.silence = silence
	w.running.Go(func() { r.run(ctx, telling) })
}

// equip gives the process what tells its workload, and what waits for its stop.
func (p *process) equip() {
	outputs := []signals.Output{{Signal: documentSignal{p}}}
	if p.pod.app.kind != noWork {
		outputs = append(outputs, signals.Output{Signal: targetSignal{p}})
	}
	log := p.w.logOf(p.name, "side")
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
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

// stopWait waits for the workload's stop; where there is no workload, for the signals.
func (p *process) stopWait(ctx context.Context, d elector.Drain) elector.Outcome {
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

// run is the sidecar's life: the signals tell from before the election begins until its last word is out.
func (p *process) run(ctx, telling context.Context) {
	var tellers sync.WaitGroup
	tellers.Go(func() { p.fanOut.Run(telling) })
	err := p.elector.Run(ctx, elector.Outputs{Publish: p.publish, StopWait: p.stopWait})
	last, cancel := context.WithTimeout(telling, 2*time.Second)
	_ = p.fanOut.WaitApplied(last)
	cancel()
	p.silence()
	tellers.Wait()
	p.w.mu.Lock()
	p.ended = true
	p.openLocked()
	dead := p.dead
	if !dead {
		p.w.say(p.name, "life", "ended: %v", err)
		p.depart()
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
	p.depart()
	p.w.mute[p.name] = true
	p.w.mu.Unlock()
	if p.hold != nil {
		_ = p.hold.Close()
	}
	p.cancel()
	p.silence()
}

// depart notes that nobody answers any more, and that a child's guard sees its sidecar gone. The caller holds the world's
// lock.
func (p *process) depart() {
	if p.pod.process == p {
		p.pod.answer.end(p.w.now())
		p.pod.app.orphan(p.w.now(), p.w.chance.span(p.number, "orphan", p.w.now(), 5*time.Millisecond))
	}
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
	p.passAs(beforeOrder, cause)
	p.orderStepDown(cause)
}

// orderStepDown is the order itself. One that was taken counts: what was led by then is not led again.
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
