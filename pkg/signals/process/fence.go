//go:build linux

package process

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// This file decides when the workload is killed, and what the guard must do if this process freezes or dies.

const (
	// killPause is the pause between attempts to kill what is still alive or was started since.
	killPause = 20 * time.Millisecond
	// failedPause is the pause after an attempt that failed.
	failedPause = 200 * time.Millisecond
	// kinMax bounds the processes that the guard's order names. The guard finds their descendants by itself.
	kinMax = 4096
)

// aim sets the kill deadline. l must not be a leader's.
func (m *machine) aim(l leadership.Leadership, now bootclock.Instant) {
	m.stop = m.rule().Next(m.stop, now, m.until, l)
	m.kill = m.stop.At
}

func (m *machine) rule() killtime.Rule {
	return killtime.Rule{StopTimeout: m.cfg.StopTimeout, KillMargin: m.cfg.KillMargin}
}

// prolong moves the kill deadline of a stop in progress after a renewal during the drain. guardFence then passes it to the guard.
func (m *machine) prolong(l leadership.Leadership, now bootclock.Instant) {
	if !m.kill.IsZero() && !m.stop.Began.IsZero() {
		m.aim(l, now)
	}
}

// killDue kills the process and all that it started once the kill deadline has passed.
func (s *step) killDue() {
	switch {
	case s.kill.IsZero() || s.now.Before(max(s.kill, s.killAgainAt)):
		return
	case s.table == nil:
		s.do(action{kind: lookNow})
		return
	}
	left := s.toKill()
	if len(left) == 0 {
		s.kill = 0
		return
	}
	if h := s.held; h != nil && !h.killed && contains(left, h.ID) {
		s.log(slog.LevelWarn, "the process has not ended in time: killing it", "reason", "ProcessKilled", "pid", h.PID, "command", h.Comm)
	}
	s.killAgainAt = s.now.Add(killPause)
	s.do(action{kind: sendSignal, purpose: forDeadline, signo: kill, to: slices.Clone(left)}) // the process comes first, or it would replace the others
}

// noteKilled records the result of killing one process.
func (s *step) noteKilled(to procfs.Process, err error) {
	switch {
	case err == nil && s.held != nil && s.held.ID == to.ID:
		s.held.killed = true
	case err != nil && !errors.Is(err, procfs.ErrOver):
		s.log(slog.LevelWarn, "the fence cannot kill", "reason", "FenceFails", "pid", to.PID, "command", to.Comm, "error", err)
		s.killAgainAt = s.now.Add(failedPause)
	}
}

// follows reports whether the held process came after those that the fence must kill, and got no stop.
func (m *machine) follows() bool {
	return m.held != nil && m.held.dismissed.IsZero() && !contains(m.work, m.held.ID)
}

func (m *machine) toKill() []procfs.Process {
	if m.follows() {
		return m.work
	}
	return m.kin
}

// armTerm orders the guard to send OnLost at the end of the term. It reports false if the guard already has that order.
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

// guardFence gives the guard the fence's order, once the process got the loss. If it has ended, the order is for what it left.
func (s *step) guardFence() {
	var order procfs.Order
	switch h := s.held; {
	case s.cfg.OnLost == 0:
		return
	case s.leads && h == nil && s.cfg.Fence && s.someAtWork():
		return // the term's order stays: at its end the guard kills the kin
	case s.leads && h == nil:
	case s.leads, h != nil && (h.notified != lossNotice || h.owed):
		return // the term's order stays: the loss is still to be sent
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
	case s.someAtWork():
		chief = s.work[0].ID
	default:
		return procfs.Order{}
	}
	// If the sidecar has died, the guard sends the signal at once. CONT does no harm.
	return procfs.Order{ID: chief, Deadline: s.kill, Signal: syscall.SIGCONT, Kill: s.kill, Kin: others(s.toKill(), chief)}
}

// others returns the IDs of the processes except one.
func others(processes []procfs.Process, but procfs.ID) []procfs.ID {
	named := ids(processes[:min(len(processes), kinMax)])
	return slices.DeleteFunc(named, func(id procfs.ID) bool { return id == but })
}

// covers reports whether the guard's order already does what the new one says. Kin that have ended make no difference.
func covers(has, wants procfs.Order) bool {
	for _, id := range wants.Kin {
		if !slices.Contains(has.Kin, id) {
			return false
		}
	}
	wants.Kin = has.Kin
	return has.Equal(wants)
}

// armed records whether the guard took an order.
func (s *step) armed(done action, err error) {
	switch {
	case err == nil:
		s.order = done.order
	case done.fence: // this process kills at the deadline too
		s.log(slog.LevelWarn, "the guard does not have the kill deadline", "reason", "GuardFails", "error", err)
		s.order = done.order
	default:
		s.refused = done.order
		s.end(fmt.Errorf("have the guard enforce the deadline: %w", err))
	}
}

// guardWasFaster records that the guard sent the loss, as its deadline has passed. After a later renewal the process gets
// the gain again, unless the loss is a stop; the guard's kill deadline then stands.
func (s *step) guardWasFaster() {
	h := s.held
	if h == nil || !h.notified.leading() || s.order.Deadline.IsZero() || s.now.Before(s.order.Deadline) {
		return
	}
	h.notified, h.handled = "", s.now.Add(guard.HandlingTime)
	if !s.cfg.dismisses() {
		return
	}
	h.dismissed = s.now
	s.leads, s.work = false, s.kin
	if s.cfg.Fence {
		s.kill, s.stop = s.order.Kill, killtime.Stop{Began: s.order.Deadline, At: s.order.Kill}
	}
}
