//go:build linux

package process

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// This file decides when what belongs to the workload is killed, and what the guard does should this process freeze or die.

const (
	// strikeAgain is the pause between attempts to kill what has not ended yet, or has been started meanwhile.
	strikeAgain = 20 * time.Millisecond
	// failedPause is that after an attempt that failed.
	failedPause = 200 * time.Millisecond
	// kinMax bounds how many processes the guard's order names. The guard finds their descendants by itself.
	kinMax = 4096
)

// aim sets the kill deadline by the leadership l, which is no leader's.
func (m *machine) aim(l leadership.Leadership, now bootclock.Instant) {
	m.stop = m.rule().Next(m.stop, now, m.until, l)
	m.kill = m.stop.At
}

func (m *machine) rule() killtime.Rule {
	return killtime.Rule{StopTimeout: m.cfg.StopTimeout, KillMargin: m.cfg.KillMargin}
}

// prolong moves the kill deadline of a stop that is under way, as the hold was renewed. The guard's order follows.
func (m *machine) prolong(l leadership.Leadership, now bootclock.Instant) {
	if !m.kill.IsZero() && !m.stop.Began.IsZero() {
		m.aim(l, now)
	}
}

// strike kills the process and all that it started once the kill deadline has passed.
func (s *step) strike() {
	switch {
	case s.kill.IsZero() || s.now.Before(max(s.kill, s.strikes)):
		return
	case s.table == nil:
		s.do(action{kind: lookNow})
		return
	}
	condemned := s.condemned()
	if len(condemned) == 0 {
		s.kill = 0
		return
	}
	if h := s.held; h != nil && !h.killed && contains(condemned, h.ID) {
		s.log(slog.LevelWarn, "the process has not ended in time: killing it", "reason", "ProcessKilled", "pid", h.PID, "command", h.Comm)
	}
	s.strikes = s.now.Add(strikeAgain)
	s.do(action{kind: sendSignal, purpose: forDeadline, signo: kill, to: slices.Clone(condemned)}) // the process first, or it would replace the others
}

// struck notes how one process was killed.
func (s *step) struck(to procfs.Process, err error) {
	switch {
	case err == nil && s.held != nil && s.held.ID == to.ID:
		s.held.killed = true
	case err != nil && !errors.Is(err, procfs.ErrOver):
		s.log(slog.LevelWarn, "the fence cannot kill", "reason", "FenceFails", "pid", to.PID, "command", to.Comm, "error", err)
		s.strikes = s.now.Add(failedPause)
	}
}

// follows reports whether the process has come after those that the fence is to kill, and got no signal.
func (m *machine) follows() bool {
	return m.held != nil && m.held.dismissed.IsZero() && !contains(m.work, m.held.ID)
}

// condemned returns what the fence is to kill.
func (m *machine) condemned() []procfs.Process {
	if m.follows() {
		return m.work
	}
	return m.kin
}

// armTerm has the guard send OnLost at the end of the term, unless it gets another order before. It reports false where the guard
// has that order.
func (s *step) armTerm() bool {
	s.held.led = s.leadership.ValidUntil
	order := s.termOrder()
	if order.Equal(s.order) {
		return false
	}
	s.do(action{kind: armGuard, order: order})
	return true
}

func (s *step) termOrder() procfs.Order {
	h, until := s.held, s.leadership.ValidUntil
	if s.cfg.OnLost == 0 {
		return procfs.Order{}
	}
	order := procfs.Order{ID: h.ID, Deadline: until, Signal: syscall.Signal(s.cfg.OnLost)}
	if s.cfg.ordered() {
		order.Gain = syscall.Signal(s.cfg.OnElected)
	}
	if s.cfg.Fence {
		order.Kill, order.Kin = until.Add(s.cfg.KillMargin/2), others(s.kin, h.ID)
	}
	return order
}

// guardFence leaves the guard nothing but the fence, once the process has got the loss. Where the process has ended the fence is
// for what it left behind.
func (s *step) guardFence() {
	var order procfs.Order
	switch h := s.held; {
	case s.cfg.OnLost == 0:
		return
	case s.leads && h == nil && s.cfg.Fence && s.works():
		return // the order of the term stands: at its end the guard kills the kin
	case s.leads && h == nil:
	case s.leads, h != nil && (h.notified != lossNotice || h.owed):
		return // the guard goes on with its deadline
	default:
		order = s.fenceOrder()
	}
	if !covers(s.order, order) {
		s.do(action{kind: armGuard, order: order, fence: true})
	}
}

func (s *step) fenceOrder() procfs.Order {
	var chief procfs.ID
	switch {
	case s.kill.IsZero():
		return procfs.Order{}
	case s.held != nil && !s.follows():
		chief = s.held.ID
	case s.works():
		chief = s.work[0].ID
	default:
		return procfs.Order{}
	}
	// A guard whose sidecar has died sends the signal at once: CONT does no harm.
	return procfs.Order{ID: chief, Deadline: s.kill, Signal: syscall.SIGCONT, Kill: s.kill, Kin: others(s.condemned(), chief)}
}

// others names the processes for the guard, but for one.
func others(processes []procfs.Process, but procfs.ID) []procfs.ID {
	named := ids(processes[:min(len(processes), kinMax)])
	return slices.DeleteFunc(named, func(id procfs.ID) bool { return id == but })
}

// covers reports whether the guard's order does what the new one says. Kin that have ended make no difference.
func covers(has, wants procfs.Order) bool {
	for _, id := range wants.Kin {
		if !slices.Contains(has.Kin, id) {
			return false
		}
	}
	wants.Kin = has.Kin
	return has.Equal(wants)
}

// armed notes whether the guard took an order.
func (s *step) armed(done action, err error) {
	switch {
	case err == nil:
		s.order = done.order
	case done.fence: // this process has the fence, too
		s.log(slog.LevelWarn, "the guard does not have the kill deadline", "reason", "GuardFails", "error", err)
		s.order = done.order
	default:
		s.refused = done.order
		s.end(fmt.Errorf("have the guard enforce the deadline: %w", err))
	}
}

// guardWasFaster takes note of a guard whose deadline has passed: it has signalled the loss. Where a renewal comes after all, the
// process gets the gain again; or it got its stop, and its kill deadline is the guard's.
func (s *step) guardWasFaster() {
	h := s.held
	if h == nil || !h.notified.leading() || s.order.Deadline.IsZero() || s.now.Before(s.order.Deadline) {
		return
	}
	h.notified, h.handled = "", s.now.Add(gainAfterLoss)
	if !s.cfg.dismisses() {
		return
	}
	h.dismissed = s.now
	s.leads, s.work = false, s.kin
	if s.cfg.Fence {
		s.kill, s.stop = s.order.Kill, killtime.Stop{Began: s.order.Deadline, At: s.order.Kill}
	}
}
