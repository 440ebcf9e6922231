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

// Process signals one process and sees its end. Make it with [New], drive it with [Process.Run], and [Process.Close] it.
type Process struct {
	cfg   Config
	guard armer
	read  func() (procfs.Table, error)

	acting    chan struct{} // a lock: holds a value while one goroutine looks, decides and acts
	wake      chan struct{} // buffered, one slot: Run has something new to wait for
	crashes   chan struct{} // buffered, one slot: the process ended while this replica led
	closing   chan struct{}
	abandoned chan struct{}
	abandon   func()
	applies   sync.WaitGroup

	// mu is held only briefly: nobody waits, signals or reads /proc under it.
	mu      sync.Mutex
	machine machine
	handle  *procfs.Handle // of the machine's held process
	turned  chan struct{}  // closed, and replaced, when a turn ends
	closed  bool
}

var _ signals.Signal = (*Process)(nil)

var errClosed = errors.New("the process signal is closed")

// New returns a signal that has not looked for its process yet. It fails as [Config.Validate] does, or without a target.
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

// Apply sends the process the signal for l, unless it has got it. A missing process is no error, since the sidecar starts
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

// apply runs turns until the newest leadership is applied, or has failed.
func (p *Process) apply(ctx context.Context) error {
	defer put(p.wake) // Run may have something new to wait for
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

// Run finds the process, signals a new one, sees its end, kills at the kill deadline, and calls Crashed, until ctx ends.
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

// passCrashes calls Crashed in its own goroutine: the election may take long, and the kill deadline must not wait for it.
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

// act carries out the machine's actions until there are none. One caller acts at a time. The error is ctx's, while waiting
// for the others, or the machine's.
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

// decide calls the machine, holds the process that it chose, and logs. Opened is the handle from the last look.
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

// Abandon makes [Process.Finish] stop waiting.
func (p *Process) Abandon() { p.abandon() }

// Close lets go of the process, which keeps running, and ends the guard. It first kills a process that the fence waits for,
// as nobody would kill it later. Run must have ended. Apply fails afterwards.
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
