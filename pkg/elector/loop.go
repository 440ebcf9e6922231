package elector

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// loop feeds the machine with what happens, and carries out what it wants. It alone touches the machine. Requests, the watch,
// the waiting for the workload and the log have goroutines of their own, so that nothing they wait for delays a stop (I7).
type loop struct {
	e  *Elector
	to Outputs
	m  *machine

	life    context.Context //nolint:containedctx // the loop's own lifetime, ended by close; not a caller's
	end     context.CancelFunc
	running sync.WaitGroup
	events  chan event

	endWatch    context.CancelFunc // of the present watch
	endStopWait context.CancelFunc // of the present waiting for the workload's stop
	logged      chan func()        // what the log's goroutine is to do
	order       *order             // the step-down that the machine takes in this turn
	health      *health            // the last one that the machine has been given
	left        bool               // the machine knows that the pod is about to end
	terminated  bool               // the machine knows that the process is to end
	holdFailed  int                // the number of the hold that could not be written, until the machine knows; 0: none
	holdOK      bool
}

func newLoop(e *Elector, to Outputs) *loop {
	l := &loop{e: e, to: to, events: make(chan event), logged: make(chan func(), 256), holdOK: true}
	l.life, l.end = context.WithCancel(context.Background())
	l.m = l.begin()
	l.running.Go(func() {
		for do := range l.logged {
			runtime.Gosched() // with one processor, the log would otherwise come before the signals that Publish has woken
			do()
		}
	})
	return l
}

// begin makes the machine, from what the process before left in the hold file where that is usable.
func (l *loop) begin() *machine {
	d, cfg := l.e.deps, l.e.cfg
	if d.Hold == nil {
		return newMachine(cfg, d.BootID, nil, d.Rand)
	}
	now := d.Clock.Now()
	longest := now.Add(cfg.RenewDeadline)
	if left, ok := d.Hold.Load(cfg.HoldKey(), now, longest); ok {
		return newMachine(cfg, d.BootID, &left, d.Rand)
	}
	m := newMachine(cfg, d.BootID, nil, d.Rand)
	m.onDisk.replace(longest)
	return m
}

// close ends and joins everything that the loop has started.
func (l *loop) close() {
	l.end()
	close(l.logged)
	l.running.Wait()
}

func (l *loop) run(ctx context.Context) error {
	timer := l.e.deps.Clock.NewTimer()
	defer timer.Stop()
	timer.Reset(1) // at once
	for {
		out, err := l.turn(l.next(ctx, timer))
		if err != nil || out.done {
			return err
		}
		timer.Reset(out.wake)
	}
}

// next waits for the next event. Of several it takes them in a fixed order, so that a simulation of the same chances runs the
// same way again: commands, then events, and the mere passing of time last.
func (l *loop) next(ctx context.Context, timer bootclock.Timer) event {
	for {
		if e := l.command(ctx); e != nil {
			return e
		}
		select {
		case e := <-l.events:
			return e
		default:
		}
		ended := ctx.Done()
		if l.terminated {
			ended = nil
		}
		select {
		case e := <-l.events:
			return e
		case <-timer.C():
			return tick{}
		case <-l.e.commands.bell:
		case <-ended:
		}
	}
}

// command returns the next command that waits, or nil. A hold that could not be written comes before all of them.
func (l *loop) command(ctx context.Context) event {
	c := l.e.commands
	if o := c.alive.take(); o != nil {
		o.answer(nil) // it asks only whether the loop turns
	}
	if number := l.holdFailed; number != 0 {
		l.holdFailed = 0
		return holdFailed{number}
	}
	if h := c.health.Load(); h != l.health {
		l.health = h
		return *h
	}
	if p := c.preference.Swap(nil); p != nil {
		return prefer{*p}
	}
	if a := c.answer.Swap(nil); a != nil {
		return wishAnswered{*a}
	}
	if !l.left && c.leave.Load() {
		l.left = true
		return leave{}
	}
	if ctx.Err() != nil && !l.terminated { // before abandon, which is meant for the handover that this begins
		l.terminated = true
		return terminate{}
	}
	if c.abandon.CompareAndSwap(true, false) {
		return abandon{}
	}
	if l.order = c.stepDown.take(); l.order != nil {
		return stepDown{l.order.cause}
	}
	return nil
}

// turn has the machine take one event, and does what it wants. The clocks are read after the event was received.
func (l *loop) turn(e event) (output, error) {
	now := moment{boot: l.e.deps.Clock.Now(), wall: l.e.deps.Clock.Wall()}
	out, err := l.m.step(now, e)
	if err != nil {
		return out, fmt.Errorf("election of %s/%s: %w", l.e.cfg.Namespace, l.e.cfg.Lease, err)
	}
	l.carryOut(out)
	return out, out.err
}

// carryOut does what a step wants: the hold, then the leadership (see chores), then what takes time and must not delay a loss.
func (l *loop) carryOut(out output) {
	if out.hold != nil {
		l.save(*out.hold)
	}
	if out.leadership != nil {
		l.e.snapshot.Store(out.leadership)
		l.to.Publish(*out.leadership)
	}
	if out.unready != *l.e.unready.Load() {
		l.e.unready.Store(&out.unready)
	}
	for _, n := range out.notes {
		l.log(n)
	}
	if out.endStopWait {
		l.endStopWait()
	}
	if out.abandoned {
		l.to.Observer.DrainAbandoned()
	}
	if out.wished != "" && l.to.Wished != nil {
		l.to.Wished(out.wished)
	}
	if out.stopWait != nil {
		l.startStopWait(*out.stopWait)
	}
	if out.watch != nil {
		l.openWatch(*out.watch)
	}
	if out.request != nil {
		l.perform(out.request)
	}
	if l.order != nil {
		l.order.answer(out.stepDownErr)
		l.order = nil
	}
}
