package process

import (
	"fmt"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// kinMax bounds how many processes the guard is told of. It finds their descendants by itself.
const kinMax = 4096

// arm has the guard send OnLost at the end of the term, unless it hears more before.
func (p *Process) arm(until bootclock.Instant) error {
	h := p.held
	if h == nil || !p.leads {
		return nil
	}
	h.led = until
	if p.cfg.Guard == nil || p.cfg.OnLost == 0 {
		return nil
	}
	order := procfs.Order{ID: h.id(), Deadline: until, Signal: syscall.Signal(p.cfg.OnLost)}
	if p.cfg.ordered() {
		order.Gain = syscall.Signal(p.cfg.OnElected)
	}
	if p.cfg.Fence {
		order.Kill, order.Kin = until.Add(p.cfg.KillMargin/2), members(p.kin, h.pid)
	}
	if order.Equal(p.order) {
		return nil
	}
	if err := p.cfg.Guard.Arm(order); err != nil {
		return fmt.Errorf("have the guard keep the deadline: %w", err)
	}
	p.order = order
	return nil
}

// handFence leaves the guard nothing but the fence, once the process has been told the loss. Where the process has ended it
// is for what that left behind.
func (p *Process) handFence() {
	var chief entry
	switch {
	case p.cfg.Guard == nil || p.kill.IsZero():
		p.disarm()
		return
	case p.held != nil && !p.follows():
		chief = p.held.entry
	case p.anyWorks():
		chief = p.work[0]
	default:
		p.disarm()
		return
	}
	// A guard whose sidecar has died sends the signal at once: CONT does no harm.
	order := procfs.Order{
		ID: chief.id(), Deadline: p.kill, Signal: syscall.SIGCONT, Kill: p.kill, Kin: members(p.condemned(), chief.pid),
	}
	if order.Equal(p.order) {
		return
	}
	if err := p.cfg.Guard.Arm(order); err != nil { // the fence is ours too
		p.cfg.Log.Warn("the guard does not keep the kill deadline", "error", err)
	}
	p.order = order
}

// handRest leaves to the guard what an ended process has left behind.
func (p *Process) handRest() {
	switch {
	case !p.cfg.Fence || !p.anyWorks():
		p.disarm()
	case !p.leads:
		p.handFence()
	default: // the order of the term stands: at its end the guard kills the kin
	}
}

// members names the entries for the guard, but for the process with that pid.
func members(entries []entry, but int) []procfs.ID {
	var named []procfs.ID
	for _, e := range entries[:min(len(entries), kinMax)] {
		if e.pid != but {
			named = append(named, e.id())
		}
	}
	return named
}

func (p *Process) disarm() {
	if p.order.PID != 0 {
		p.cfg.Guard.Disarm()
	}
	p.order = procfs.Order{}
}

// due reports whether the guard has acted, unless the order is nothing.
func due(o procfs.Order, now bootclock.Instant) bool {
	return !o.Deadline.IsZero() && !now.Before(o.Deadline)
}

func (e entry) id() procfs.ID { return procfs.ID{PID: e.pid, Start: e.start} }
