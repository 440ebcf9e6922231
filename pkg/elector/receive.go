package elector

import (
	"context"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// input is what the loop has received: an event, an order with or without one, the end of the process, or news.
type input struct {
	event  event
	answer chan<- error
	ended  bool
}

// receive waits for the next input. Of several that are there it takes them in a fixed order, so that a simulation of the
// same chances runs the same way again.
func (l *loop) receive(timer bootclock.Timer, ended <-chan struct{}) input {
	select {
	case <-ended:
		return input{ended: true}
	default:
	}
	select {
	case o := <-l.e.orders.asked:
		return input{event: o.event, answer: o.answer}
	default:
	}
	select {
	case e := <-l.events:
		return input{event: e}
	default:
	}
	select {
	case <-l.e.orders.news:
		return input{}
	default:
	}
	select {
	case <-timer.C():
		return input{event: tick{}}
	case <-ended:
		return input{ended: true}
	case o := <-l.e.orders.asked:
		return input{event: o.event, answer: o.answer}
	case e := <-l.events:
		return input{event: e}
	case <-l.e.orders.news:
		return input{}
	}
}

// pending returns what the machine is to hear next, whatever else happens; nil for nothing.
func (l *loop) pending(ctx context.Context) event {
	fit := l.e.orders.fit.Load()
	switch {
	case l.holdFailed:
		l.holdFailed = false
		return holdFailed{}
	case fit != l.fit:
		l.fit = fit
		return *fit
	case !l.e.orders.abandon.Load():
		return nil
	case ctx.Err() != nil && !l.terminated: // whoever ends the process and then abandons the handover means this order
		l.terminated = true
		return terminate{}
	}
	l.e.orders.abandon.Store(false)
	return abandon{}
}

// numbered is an event of a watch, void once another watch has taken its place.
type numbered struct {
	event
	number int
}

// stale reports whether e is a watch's own state from before the present watch. Its changes always count: the store's
// versions order them.
func (l *loop) stale(e event) bool {
	n, ok := e.(numbered)
	return ok && n.number != l.watches
}

// deliver hands an event to the loop, unless its sender has been told to end.
func (l *loop) deliver(ctx context.Context, e event) {
	select {
	case l.events <- e:
	case <-ctx.Done():
	}
}
