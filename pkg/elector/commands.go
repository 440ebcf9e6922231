package elector

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// orderTimeout bounds how long a command waits for the loop, which takes one within milliseconds unless it is stuck.
const orderTimeout = 5 * time.Second

// commands is how other goroutines command the loop: a mailbox for each kind of command, in which the newest counts, so
// that no number of one kind crowds out another. The end of the process is the end of Run's context.
type commands struct {
	begun, ended chan struct{}
	bell         chan struct{} // something is in a mailbox; has room for one
	stepDown     mailbox
	alive        mailbox
	health       atomic.Pointer[health]     // the newest; it stays
	preference   atomic.Pointer[Preference] // the newest; nil: taken
	answer       atomic.Pointer[Answer]     // the newest; nil: taken
	leave        atomic.Bool                // it stays
	abandon      atomic.Bool
}

func newCommands() *commands {
	return &commands{begun: make(chan struct{}), ended: make(chan struct{}), bell: make(chan struct{}, 1)}
}

// ring has the loop look into the mailboxes.
func (c *commands) ring() {
	select {
	case c.bell <- struct{}{}:
	default: // it rings already
	}
}

// mailbox holds one order until the loop takes it. An order that comes meanwhile takes its place, and both get its answer.
type mailbox struct {
	mu   sync.Mutex
	held *order // nil: none
}

// order is a command that is answered. Several callers may wait for one answer.
type order struct {
	cause   string
	callers int
	done    chan struct{} // closed once err is the answer
	err     error
}

// put places an order, or joins the one that waits.
func (b *mailbox) put(cause string) *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = &order{done: make(chan struct{})}
	}
	b.held.cause = cause
	b.held.callers++
	return b.held
}

func (b *mailbox) take() *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.held
	b.held = nil
	return o
}

// giveUp takes a caller's order back, unless the loop has taken it, or another caller waits for it too.
func (b *mailbox) giveUp(o *order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.callers--; o.callers == 0 && b.held == o {
		b.held = nil
	}
}

func (o *order) answer(err error) {
	o.err = err
	close(o.done)
}

func (c *commands) ask(ctx context.Context, b *mailbox, cause string) error {
	o := b.put(cause)
	c.ring()
	select {
	case <-o.done:
		return o.err
	case <-c.ended:
	case <-ctx.Done():
		b.giveUp(o)
	}
	select {
	case <-o.done: // just now
		return o.err
	default:
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: its loop does not turn: %w", ErrNotRunning, context.Cause(ctx))
	}
	return ErrNotRunning
}

// StepDown asks for a handover. It returns once the election has taken or refused the order, not once it has handed over:
// nil where the candidate leads, or resumes the term of the process before; [ErrDraining] where a handover is under way;
// [ErrNotLeading] on any other candidate; [ErrNotRunning] when the election has ended or does not answer within 5 s.
// Orders that wait together get one answer, and the newest cause counts. Do not call it from Publish.
// It takes no context: the loop answers within milliseconds, and no caller may hang on one that is stuck.
func (e *Elector) StepDown(cause string) error {
	select {
	case <-e.commands.begun:
	default:
		return ErrNotLeading
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderTimeout)
	defer cancel()
	return e.commands.ask(ctx, &e.commands.stepDown, cause)
}

// Alive returns nil once the election's loop has turned after the call, or the election has ended. It waits for one that has
// not begun. It returns an error when ctx ends first: a loop that needs longer than a few seconds is stuck.
func (e *Elector) Alive(ctx context.Context) error {
	err := e.commands.ask(ctx, &e.commands.alive, "")
	select {
	case <-e.commands.ended:
		return nil
	default:
		return err
	}
}

// Abandon ends the waiting of a handover, if one is under way. Unless the workload was seen to stop, the Lease is neither
// released nor renewed: it runs out. Abandon returns at once.
func (e *Elector) Abandon() {
	e.commands.abandon.Store(true)
	e.commands.ring()
}

// Prefer says who should lead next. The newest preference counts, until the next. It returns at once.
func (e *Elector) Prefer(p Preference) {
	e.commands.preference.Store(&p)
	e.commands.ring()
}

// Answer answers what [Outputs.Wished] was asked. Where the pod's identity is given, and the Lease still asks for that pod, this
// candidate hands over to it. It returns at once.
func (e *Elector) Answer(a Answer) {
	e.commands.answer.Store(&a)
	e.commands.ring()
}

// Leave says that this process's pod is about to end, which the process learns by itself only once the workload has stopped: a
// native sidecar gets SIGTERM last. A standby takes the Lease no more. A leader leads on until its workload stops or the process
// is to end, and does not lead again. It cannot be taken back, and returns at once.
func (e *Elector) Leave() {
	e.commands.leave.Store(true)
	e.commands.ring()
}

// SetHealthy says whether the workload is healthy, and why. A candidate counts as healthy until SetHealthy says otherwise.
// An unhealthy one hands over if it leads, and does not campaign, except as [Config.LeadUnhealthy] says. It returns at once.
func (e *Elector) SetHealthy(healthy bool, why string) {
	e.commands.health.Store(&health{healthy: healthy, why: why})
	e.commands.ring()
}
