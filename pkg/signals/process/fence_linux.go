package process

import (
	"errors"
	"time"
)

// strikeAgain is the pause between attempts to kill what has not ended yet, or has been started meanwhile.
const strikeAgain = 20 * time.Millisecond

// strike kills the process and all that it started once the kill deadline has passed, and returns when to look again;
// 0: when the fence is set anew.
func (p *Process) strike() time.Duration {
	if p.kill.IsZero() {
		return 0
	}
	if left := p.kill.Sub(p.cfg.Clock.Now()); left > 0 {
		return min(left, recheck)
	}
	all, err := readTable()
	if err != nil {
		p.cfg.Log.Warn("the fence cannot see what to kill", "error", err)
		return recheck
	}
	p.remember(all, p.kin)
	if len(p.kin) == 0 {
		p.kill = 0
		return 0
	}
	again := strikeAgain
	for _, e := range p.kin { // the process first, or it would start others in place of those killed
		switch err := p.slay(e); {
		case err == nil, errors.Is(err, errOver):
		default:
			p.cfg.Log.Warn("the fence cannot kill", "pid", e.pid, "command", e.comm, "error", err)
			again = recheck
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
