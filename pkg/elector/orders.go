package elector

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// orderTimeout bounds how long a command waits for the loop, which takes one within milliseconds unless it is stuck.
const orderTimeout = 5 * time.Second

// orders is how others command the loop. What is asked gets an answer; of what is only said the newest counts, so that
// no number of words crowds a question out.
type orders struct {
	begun, ended chan struct{}
	asked        chan order
	news         chan struct{}           // something was said; has room for one
	fit          atomic.Pointer[fitness] // the newest word of SetHealthy
	abandon      atomic.Bool
}

// order is a command that is answered. Without an event it only asks whether the loop turns.
type order struct {
	event  event
	answer chan<- error // has room for it
}

func newOrders() orders {
	return orders{
		begun: make(chan struct{}), ended: make(chan struct{}), asked: make(chan order), news: make(chan struct{}, 1),
	}
}

// StepDown asks for a handover, and returns once the election has taken the order or refused it; the handover itself goes
// on after that. It returns nil on a candidate that leads, or that resumes the term of the process before in its pod: that
// term does not lead on. It returns [ErrNotLeading] on any other, [ErrDraining] where a handover is under way already, and
// [ErrNotRunning] when the election has ended, or does not answer within 5 s. Do not call it from Publish.
func (e *Elector) StepDown(cause string) error {
	select {
	case <-e.orders.begun:
	default:
		return ErrNotLeading
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderTimeout)
	defer cancel()
	return e.ask(ctx, stepDown{cause: cause})
}

// Alive returns nil once the election's loop has turned after the call, also when the election has ended in good order. It
// waits for one that has not begun. It returns an error when ctx ends first: give it a few seconds, and a candidate that
// needs longer is stuck.
func (e *Elector) Alive(ctx context.Context) error {
	err := e.ask(ctx, nil)
	select {
	case <-e.orders.ended:
		return nil
	default:
		return err
	}
}

// ask hands an order to the loop and returns the answer.
func (e *Elector) ask(ctx context.Context, what event) error {
	answer := make(chan error, 1)
	select {
	case e.orders.asked <- order{event: what, answer: answer}:
	case <-e.orders.ended:
		return ErrNotRunning
	case <-ctx.Done():
		return fmt.Errorf("%w: its loop does not turn: %w", ErrNotRunning, context.Cause(ctx))
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: its loop is stuck: %w", ErrNotRunning, context.Cause(ctx))
	}
}

// Abandon ends the waiting of a handover, if one is under way: a workload that has not been seen to stop leaves the Lease
// neither released nor renewed, to run out by itself. It returns at once.
func (e *Elector) Abandon() {
	e.orders.abandon.Store(true)
	e.wake()
}

// SetHealthy says whether the workload is fit to lead, and why. A candidate is fit until it is told otherwise: unfit, it
// hands over if it leads, and does not campaign, except as [Config.LeadUnhealthy] says. It returns at once.
func (e *Elector) SetHealthy(healthy bool, why string) {
	e.orders.fit.Store(&fitness{fit: healthy, why: why})
	e.wake()
}

// wake has the loop look for what was said.
func (e *Elector) wake() {
	select {
	case e.orders.news <- struct{}{}:
	default: // it is to look anyway
	}
}
