package process

import (
	"fmt"

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
	order := Order{Deadline: until, PID: h.pid, StartTime: h.start, Signal: p.cfg.OnLost}
	if p.cfg.ordered() {
		order.Gain = p.cfg.OnElected
	}
	if p.cfg.Fence {
		order.Kill, order.Kin = until.Add(p.cfg.KillMargin/2), members(p.kin, h.pid)
	}
	if order.equal(p.order) {
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
	order := Order{
		Deadline: p.kill, PID: chief.pid, StartTime: chief.start, Signal: cont, Kill: p.kill, Kin: members(p.condemned(), chief.pid),
	}
	if order.equal(p.order) {
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
func members(entries []entry, but int) []Member {
	var named []Member
	for _, e := range entries[:min(len(entries), kinMax)] {
		if e.pid != but {
			named = append(named, Member{PID: e.pid, StartTime: e.start})
		}
	}
	return named
}

func (p *Process) disarm() {
	if p.order.PID != 0 {
		p.cfg.Guard.Disarm()
	}
	p.order = Order{}
}
