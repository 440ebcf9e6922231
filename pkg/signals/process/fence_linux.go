package process

import (
	"context"
	"errors"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// strikeAgain is the pause between attempts to kill what has not ended yet, or has been started meanwhile.
	strikeAgain = 20 * time.Millisecond
	// failedPause is that after an attempt that failed.
	failedPause = 200 * time.Millisecond
)

// aim sets the kill deadline by the level l, which is no leader's.
func (p *Process) aim(l leadership.Leadership) {
	p.stop = p.rule().Next(p.stop, p.cfg.Clock.Now(), p.until, l)
	p.kill = p.stop.At
}

func (p *Process) rule() killtime.Rule {
	return killtime.Rule{StopTimeout: p.cfg.StopTimeout, KillMargin: p.cfg.KillMargin}
}

// prolong moves the kill deadline of a stop that is under way, as the hold was renewed, and has the guard know.
func (p *Process) prolong(l leadership.Leadership) {
	if p.kill.IsZero() || p.stop.Began.IsZero() {
		return
	}
	p.aim(l)
	p.handFence()
}

// Finish returns once nothing is left that the fence has to kill, or ctx ends. Run must go on meanwhile. What cannot be
// killed is not waited for beyond a kill margin after its deadline.
func (p *Process) Finish(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	news, watched := make(chan struct{}, 1), make(chan struct{})
	defer func() { cancel(); <-watched }()
	go func() {
		defer close(watched)
		p.Watch(ctx, func() {
			select {
			case news <- struct{}{}:
			default:
			}
		})
	}()
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		p.mu.Lock()
		last := p.kill.Add(p.cfg.KillMargin)
		pending := !p.kill.IsZero() && p.works() && p.cfg.Clock.Now().Before(last)
		p.mu.Unlock()
		if !pending {
			return
		}
		timer.Reset(last)
		select {
		case <-news:
		case <-timer.C():
		case <-ctx.Done():
			return
		}
	}
}

// strike kills the process and all that it started once the kill deadline has passed, and returns when to look again;
// 0: when the fence is set anew.
func (p *Process) strike() time.Duration {
	if p.kill.IsZero() {
		return 0
	}
	if left := p.kill.Sub(p.cfg.Clock.Now()); left > 0 {
		return left
	}
	all, err := readTable()
	if err != nil {
		p.cfg.Log.Warn("the fence cannot see what to kill", "error", err)
		return failedPause
	}
	p.remember(all, p.kin)
	condemned := p.condemned()
	if len(condemned) == 0 {
		p.kill = 0
		return 0
	}
	again := strikeAgain
	for _, e := range condemned { // the process first, or it would start others in place of those killed
		switch err := p.slay(e); {
		case err == nil, errors.Is(err, errOver):
		default:
			p.cfg.Log.Warn("the fence cannot kill", "pid", e.pid, "command", e.comm, "error", err)
			again = failedPause
		}
	}
	return again
}

func (p *Process) slay(e entry) error {
	if p.held != nil && p.held.same(e) {
		if !p.held.killed {
			p.cfg.Log.Warn("the process has not ended in time: killing it", "pid", e.pid, "command", e.comm)
		}
		err := p.held.send(kill)
		p.held.killed = p.held.killed || err == nil
		return err
	}
	return once(e, kill)
}

// tellStrays sends a signal that is meant to end the workload to what its ended process left behind, as the workers
// of a master that was killed.
func (p *Process) tellStrays() {
	if p.strays || !p.cfg.OnLost.Ends() {
		return
	}
	p.strays = true
	for _, e := range p.work {
		if err := once(e, p.cfg.OnLost); err != nil && !errors.Is(err, errOver) {
			p.cfg.Log.Warn("what the process left behind cannot be told", "pid", e.pid, "command", e.comm, "error", err)
		}
	}
}

// once sends one signal to a process that is not held.
func once(e entry, s Signo) error {
	h, err := hold(e)
	if err != nil {
		return err
	}
	defer h.close()
	return h.send(s)
}
