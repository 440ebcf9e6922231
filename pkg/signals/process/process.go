//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// Process is the signal to one process, and sight of its end. Make it with [New]; [Process.Run] keeps looking, and [Process.Close]
// ends it.
type Process struct {
	cfg   Config
	guard armer
	read  func() (procfs.Table, error)

	acting    chan struct{} // holds a value while somebody looks, decides and carries out
	wake      chan struct{} // room for one: Run has something new to wait for
	crashes   chan struct{} // room for one: the process has ended while this replica led
	closing   chan struct{}
	abandoned chan struct{}
	abandon   func()
	applies   sync.WaitGroup

	// mu is held for moments only: nobody waits, signals or reads /proc under it.
	mu      sync.Mutex
	machine machine
	handle  *procfs.Handle // of the machine's held process
	turned  chan struct{}  // closed, and replaced, when a turn ends
	closed  bool
}

var _ signals.Signal = (*Process)(nil)

var errClosed = errors.New("the process signal is closed")

// New returns a signal that has looked for nothing yet. It fails as [Config.Validate] does, and without a target.
func New(cfg Config) (*Process, error) { return newProcess(cfg, &restartingGuard{log: cfg.Log}) }

func newProcess(cfg Config, guard armer) (*Process, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if !cfg.Target.Given() {
		return nil, errors.New("signal a process: the target is empty")
	}
	p := &Process{
		cfg: cfg, guard: guard, read: procfs.Read, machine: newMachine(cfg),
		acting: make(chan struct{}, 1), wake: make(chan struct{}, 1), crashes: make(chan struct{}, 1),
		closing: make(chan struct{}), abandoned: make(chan struct{}), turned: make(chan struct{}),
	}
	p.abandon = sync.OnceFunc(func() { close(p.abandoned) })
	return p, nil
}

// Name returns "process".
func (p *Process) Name() string { return "process" }

// Apply sends the process the signal for l, unless it was sent before. It is no failure that no process is found: the sidecar starts
// before the workload. A process that must not be signalled is one.
func (p *Process) Apply(ctx context.Context, l leadership.Leadership) error {
	done := make(chan error, 1)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	p.machine.lead(l, p.cfg.Clock.Now())
	p.applies.Go(func() {
		defer func() {
			if fault := recover(); fault != nil { // one broken signal must not end the sidecar
				done <- fmt.Errorf("panic: %v", fault)
			}
		}()
		done <- p.apply(ctx)
	})
	p.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// apply turns until the newest leadership is applied, or failed.
func (p *Process) apply(ctx context.Context) error {
	defer put(p.wake) // there may be something else to wait for
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		out, err := p.act(ctx)
		if err != nil || out.wait.IsZero() {
			return errors.Join(err, out.failure)
		}
		timer.Reset(out.wait)
		select {
		case <-timer.C():
		case <-p.closing:
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Run looks for the process, signals one that has come, sees it end, kills at the kill deadline, and calls Crashed, until ctx ends.
func (p *Process) Run(ctx context.Context) {
	p.cfg.warn()
	var crashes sync.WaitGroup
	defer crashes.Wait()
	crashes.Go(func() { p.passCrashes(ctx) })
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		out, err := p.act(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.cfg.Log.Error("the process signal is at fault", "reason", "ProcessSignalAtFault", "error", err)
		}
		p.mu.Lock()
		exited := (<-chan struct{})(nil)
		if p.handle != nil {
			exited = p.handle.Exited()
		}
		p.mu.Unlock()
		if bootclock.Await(ctx, timer, out.next, exited, p.wake) != nil {
			return
		}
	}
}

// passCrashes calls Crashed, in a goroutine of its own: the election may take its time, and the kill deadline does not wait.
func (p *Process) passCrashes(ctx context.Context) {
	for {
		select {
		case <-p.crashes:
			if p.cfg.Crashed != nil {
				p.cfg.Crashed()
			}
		case <-ctx.Done():
			return
		}
	}
}

func put(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// act carries out what the machine decides, until there is nothing to do at this moment. One caller acts at a time. The error
// is ctx's, which ends the waiting for the others, or the machine's.
func (p *Process) act(ctx context.Context) (output, error) {
	select {
	case p.acting <- struct{}{}:
	case <-ctx.Done():
		return output{}, context.Cause(ctx)
	}
	defer func() { <-p.acting }()
	var came answer
	var opened *procfs.Handle
	for {
		out, err := p.decide(p.view(came), opened)
		if err != nil || out.action.kind == nothing {
			return out, err
		}
		came, opened = p.carryOut(out.action)
	}
}

// decide calls the machine, holds the process that it has chosen, and logs. Opened is what the last look has opened.
func (p *Process) decide(v view, opened *procfs.Handle) (output, error) {
	p.mu.Lock()
	out, err := p.machine.decide(v)
	dropped := []*procfs.Handle{p.handle, opened}
	p.handle = nil
	for i, h := range dropped {
		if held := p.machine.held; h != nil && held != nil && held.ID == h.ID && p.handle == nil {
			p.handle, dropped[i] = h, nil
		}
	}
	if out.turned {
		close(p.turned)
		p.turned = make(chan struct{})
	}
	p.mu.Unlock()
	for _, h := range dropped {
		if h != nil {
			h.Close()
		}
	}
	for _, r := range out.records {
		p.cfg.Log.Log(context.Background(), r.level, r.message, r.args...) //nolint:sloglint // the messages are the machine's constants
	}
	if out.crashed {
		put(p.crashes)
	}
	return out, err
}

// carryOut does what the machine wants done.
func (p *Process) carryOut(a action) (came answer, opened *procfs.Handle) {
	came.of = a.kind
	switch a.kind {
	case lookNow:
		came.look, opened = p.look(a.find)
	case armGuard:
		came.errs = []error{p.guard.Arm(a.order)}
	case sendSignal:
		for _, to := range a.to {
			came.errs = append(came.errs, p.send(to, a.signo))
		}
	}
	return came, opened
}

// Abandon ends the waiting of [Process.Finish].
func (p *Process) Abandon() { p.abandon() }

// Close lets go of the process, which goes on as it is. One that the fence waits for is killed now, as nobody would kill it later. Close
// ends the guard. Run must have ended, and Apply fails from then on.
func (p *Process) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.closing)
	p.mu.Unlock()
	p.applies.Wait()
	p.mu.Lock()
	kills := p.machine.close(p.cfg.Clock.Now())
	p.mu.Unlock()
	var err error
	if kills {
		_, err = p.act(context.Background())
	}
	p.mu.Lock()
	h := p.handle
	p.handle = nil
	p.mu.Unlock()
	if h != nil {
		h.Close()
	}
	return errors.Join(err, p.guard.Close())
}
