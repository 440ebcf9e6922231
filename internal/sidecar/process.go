//go:build linux

package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// processTarget is the workload's process with the guard that keeps its deadline.
type processTarget struct {
	*process.Process
	guard     *deadline     // nil without a signal to send at the deadline
	abandon   func()        // ends the waiting for what the fence is to kill
	abandoned chan struct{} // closed by it
	crashes   chan struct{} // the process has ended while this replica led
	crashed   func()        // acts on that, and may take its time
}

// openProcess returns the target, or nil where none was asked for. crashed is told that it has ended while leading.
func openProcess(c process.Config, clock bootclock.Clock, log *slog.Logger, crashed func()) (*processTarget, error) {
	if !c.Target.Given() {
		return nil, nil
	}
	t := &processTarget{abandoned: make(chan struct{}), crashes: make(chan struct{}, 1), crashed: crashed}
	t.abandon = sync.OnceFunc(func() { close(t.abandoned) })
	c.Clock, c.Log = clock, log
	c.Crashed = func() {
		select {
		case t.crashes <- struct{}{}:
		default: // one that nobody has dealt with is there
		}
	}
	if c.OnLost != 0 {
		t.guard = &deadline{log: log}
		c.Guard = t.guard
	}
	var err error
	t.Process, err = process.New(c)
	return t, err
}

// run looks after the process until ctx ends. What follows a crash has a goroutine of its own: the election may take its time
// to answer, and the kill deadline does not wait.
func (t *processTarget) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { _ = t.Run(ctx) }) // it returns nil
	running.Go(func() {
		for {
			select {
			case <-t.crashes:
				t.crashed()
			case <-ctx.Done():
				return
			}
		}
	})
	running.Wait()
}

// finish waits for what the fence still has to kill, until that is gone or the waiting is abandoned.
func (t *processTarget) finish() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		t.Finish(ctx)
	}()
	select {
	case <-finished:
	case <-t.abandoned:
		cancel()
		<-finished
	}
}

// Close lets go of the process and ends the guard.
func (t *processTarget) Close() error {
	err := t.Process.Close()
	if t.guard != nil {
		err = errors.Join(err, t.guard.close())
	}
	return err
}

// deadline keeps a guard process from the first order on, and starts another one where it has ended.
type deadline struct {
	log *slog.Logger

	mu    sync.Mutex
	guard *guard.Guard
}

var _ process.Guard = (*deadline)(nil)

// Arm hands the order to the guard process.
func (d *deadline) Arm(order procfs.Order) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guard != nil {
		if err := d.guard.Arm(order); err == nil {
			return nil
		}
		d.log.Warn("the guard process has ended: starting another")
		_ = d.guard.Close() // it has ended
	}
	var err error
	if d.guard, err = guard.Start(guard.Config{}); err != nil {
		d.guard = nil
		return err
	}
	return d.guard.Arm(order)
}

// Disarm takes the order back.
func (d *deadline) Disarm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guard != nil {
		_ = d.guard.Disarm() // an error means that it has ended
	}
}

func (d *deadline) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guard == nil {
		return nil
	}
	return d.guard.Close()
}
