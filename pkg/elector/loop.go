package elector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// loop feeds the machine with what happens and carries out what it wants. It alone touches the machine; requests,
// the watch, the waiting for the workload and the log each have a goroutine, so that nothing they wait for delays a stop
// (I7). It sleeps until something happens, or until exactly the instant that the machine names.
type loop struct {
	e  *Elector
	to Outputs
	m  *machine

	life    context.Context //nolint:containedctx // the loop's own lifetime, ended by close; not a caller's
	end     context.CancelFunc
	running sync.WaitGroup
	events  chan event

	endWatch   context.CancelFunc // of the present watch
	watches    int                // how many have been opened: the number of the present one
	endSettle  context.CancelFunc // of the present asking
	notes      chan note
	fit        *fitness // the last word of SetHealthy that the machine has heard
	terminated bool     // the machine has been told that the process is to end
	holdFailed bool     // the last hold could not be written, and the machine has not been told yet
	holdOK     bool
}

func newLoop(e *Elector, to Outputs) *loop {
	l := &loop{e: e, to: to, events: make(chan event), notes: make(chan note, 256), holdOK: true}
	l.life, l.end = context.WithCancel(context.Background())
	l.m = l.begin()
	l.running.Go(l.logNotes)
	return l
}

// begin makes the machine, from what the process before left in the hold file if that is of any use.
func (l *loop) begin() *machine {
	d := l.e.deps
	if d.Hold == nil {
		return newMachine(l.e.cfg, d.BootID, nil, d.Rand)
	}
	now := d.Clock.Now()
	longest := now.Add(l.e.cfg.RenewDeadline)
	h, ok := d.Hold.Load(l.e.cfg.HoldKey(), now, longest)
	if !ok {
		m := newMachine(l.e.cfg, d.BootID, nil, d.Rand)
		m.holding.replace(longest)
		return m
	}
	return newMachine(l.e.cfg, d.BootID, &h, d.Rand)
}

// close ends and joins everything that the loop has started.
func (l *loop) close() {
	l.end()
	close(l.notes)
	l.running.Wait()
}

// run turns until the machine is done.
func (l *loop) run(ctx context.Context) error {
	timer := l.e.deps.Clock.NewTimer()
	defer timer.Stop()
	timer.Reset(1) // at once
	ended := ctx.Done()
	for {
		in := l.receive(timer, ended)
		e := in.event
		switch {
		case in.ended:
			e, ended, l.terminated = terminate{}, nil, true
		case e == nil && in.answer != nil: // only whether the loop turns
			in.answer <- nil
			continue
		case e == nil:
			if e = l.pending(ctx); e == nil {
				continue
			}
		}
		if l.stale(e) {
			continue
		}
		if n, ok := e.(numbered); ok {
			e = n.event
		}
		out, err := l.turn(e)
		if in.answer != nil {
			in.answer <- errors.Join(err, out.answer)
		}
		for err == nil && !out.done {
			if e = l.pending(ctx); e == nil {
				break
			}
			out, err = l.turn(e)
		}
		if err != nil || out.done {
			return err
		}
		timer.Reset(out.wake)
	}
}

// turn has the machine take one event, and does what it wants. The clocks are read after the event was received.
func (l *loop) turn(e event) (ready, error) {
	now := moment{boot: l.e.deps.Clock.Now(), wall: l.e.deps.Clock.Wall()}
	out, err := l.m.step(now, e)
	if err != nil {
		return out, fmt.Errorf("election of %s/%s: %w", l.e.cfg.Namespace, l.e.cfg.Lease, err)
	}
	l.carryOut(out)
	return out, out.err
}

// carryOut does what a step wants, losses first: the hold before the word that rests on it, the word before anything
// that takes time.
func (l *loop) carryOut(out ready) {
	if out.hold != nil {
		l.save(*out.hold)
	}
	if out.level != nil {
		l.e.snapshot.Store(out.level)
		l.to.Publish(*out.level)
	}
	if out.unready != *l.e.unready.Load() {
		l.e.unready.Store(&out.unready)
	}
	for _, n := range out.notes {
		l.log(n)
	}
	if out.settled && l.endSettle != nil {
		l.endSettle()
	}
	if out.abandoned {
		l.to.Observer.DrainAbandoned()
	}
	if out.drain != nil {
		l.askSettled(*out.drain)
	}
	if out.watch != nil {
		l.openWatch(*out.watch)
	}
	if out.request != nil {
		l.send(out.request)
	}
}

// save writes the hold, and remembers a failure for the machine: no release is sent while an old hold could be believed.
func (l *loop) save(h HoldState) {
	if l.e.deps.Hold == nil {
		return
	}
	err := l.e.deps.Hold.Save(l.m.cfg.HoldKey(), h)
	if err != nil && l.holdOK {
		l.log(note{level: slog.LevelWarn, text: "the hold file cannot be written: trying again; a restarted sidecar may not resume its term, and a handover waits until the old hold has run out", attrs: []slog.Attr{reason("HoldNotWritten"), slog.Any("err", err)}})
	}
	l.holdOK, l.holdFailed = err == nil, err != nil
}

// send performs a request in a goroutine of its own.
func (l *loop) send(r *request) {
	l.running.Go(func() {
		ctx, cancel := context.WithTimeout(l.life, r.timeout)
		defer cancel()
		start := l.e.deps.Clock.Now()
		reply, err := l.perform(ctx, r)
		l.to.Observer.Requested(string(r.verb), l.e.deps.Clock.Now().Sub(start), err)
		l.deliver(l.life, replied{reply: reply, err: err})
	})
}

func (l *loop) perform(ctx context.Context, r *request) (lease.Reply, error) {
	switch r.verb {
	case verbGet:
		return l.e.deps.Store.Get(ctx)
	case verbCreate:
		return l.e.deps.Store.Create(ctx, r.record)
	default:
		return l.e.deps.Store.Update(ctx, r.record)
	}
}

// openWatch replaces the watch by a new one.
func (l *loop) openWatch(from watchFrom) {
	if l.endWatch != nil {
		l.endWatch()
	}
	var ctx context.Context
	ctx, l.endWatch = context.WithCancel(l.life)
	l.watches++
	number := l.watches
	l.running.Go(func() {
		err := l.e.deps.Store.Watch(ctx, from.version,
			func() { l.deliver(ctx, numbered{watchOpened{}, number}) },
			func(e lease.Event) { l.deliver(ctx, changed{e}) })
		l.deliver(ctx, numbered{watchClosed{err}, number})
	})
}

// askSettled asks, in place of what was asked before, whether the workload has stopped.
func (l *loop) askSettled(d draining) {
	if l.endSettle != nil {
		l.endSettle()
	}
	var ctx context.Context
	ctx, l.endSettle = context.WithCancel(l.life)
	l.running.Go(func() {
		outcome := WorkloadStopped
		if l.to.StopWait != nil {
			outcome = l.to.StopWait(ctx, d.Drain)
		}
		switch {
		case ctx.Err() != nil:
		case outcome == Abandoned:
			l.deliver(ctx, abandon{drain: d.number})
		default:
			l.deliver(ctx, settled{drain: d.number})
		}
	})
}

// log hands a note to the log's goroutine. A log that takes nothing must not hold up the election: the note is lost.
func (l *loop) log(n note) {
	select {
	case l.notes <- n:
	default:
	}
}

func (l *loop) logNotes() {
	for n := range l.notes {
		l.e.deps.Log.LogAttrs(context.Background(), n.level, n.text, n.attrs...) //nolint:sloglint // the texts are the machine's constants
	}
}
