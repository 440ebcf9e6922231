//go:build linux

package process

import (
	"log/slog"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// This file decides which processes must end, and when a gain may follow. A process that got its stop gets no gain: it might
// handle the gain first, work briefly, start workers, and then end. The gain is for its successor.

// dismisses reports whether the loss is meant to end the process.
func (c Config) dismisses() bool { return c.OnLost.Ends() || c.Fence }

// warn says at the start that the process of every standby will be ended. It is no fault: a supervisor, or the kubelet, may start the
// process again, or it is only started on the leader. But no signal for the election brings an ended process back.
func (c Config) warn() {
	if !c.dismisses() {
		return
	}
	c.Log.Warn("the process is ended whenever this replica does not lead, at the start too, and the sidecar does not start it again",
		"reason", "LossEndsProcess", "target", c.Target.String(), "process_signal", c.OnLost.String(), "fence", c.Fence,
		"detail", "start it only on the leader (lease-sidecar wait --for leader), or choose signals that leave it running, such as USR1 and USR2, or CONT and STOP")
}

// survival is how long a process has to end before it counts as ignoring its stop.
func (c Config) survival() time.Duration { return max(c.StopTimeout, busyMax) }

// mustWait reports whether a new term must wait because something that got its stop is alive: with a fence, anything it is
// to kill; without, the process, until it has outlived its stop.
func (s *step) mustWait() bool {
	if s.cfg.Fence && !s.kill.IsZero() && s.someAtWork() {
		s.waiting("what got its stop still lives: a gain waits for its end", s.work[0])
		return true
	}
	h := s.held
	if h == nil || h.dismissed.IsZero() {
		return false
	}
	if s.cfg.Fence || !s.outlived() {
		s.waiting("the process got its stop: a gain waits for the process that follows it", h.Process)
		return true
	}
	s.log(slog.LevelWarn, "the process got its stop and lives on: it gets the gain", "reason", "ProcessOutlivedStop",
		"pid", h.PID, "command", h.Comm, "process_signal", s.cfg.OnLost.String(), "waited", s.now.Sub(h.dismissed))
	h.dismissed = 0
	return false
}

// outlived reports whether the process took the stop and stayed alive. A frozen process gets its time after the thaw.
func (s *step) outlived() bool {
	h := s.held
	if s.now.Before(h.dismissed.Add(s.cfg.survival())) {
		return false
	}
	if s.view.process.err != nil || s.view.process.signals.Pending.Has(syscall.Signal(s.cfg.OnLost)) {
		h.dismissed = s.now
		return false
	}
	return true
}

// lookAgainAt returns when to check again whether a term must wait.
func (s *step) lookAgainAt() bootclock.Instant {
	if h := s.held; h != nil && !h.dismissed.IsZero() && !s.cfg.Fence { // its end is an event
		return h.dismissed.Add(s.cfg.survival())
	}
	return s.now.Add(guard.PendingPause)
}

// waiting logs once per term why no process gets the gain.
func (s *step) waiting(detail string, p procfs.Process) {
	if token := s.leadership.Token; s.awaited != token {
		s.awaited = token
		s.log(slog.LevelInfo, "no process gets the gain yet", "reason", "ProcessEnding", "detail", detail, "pid", p.PID, "command", p.Comm, "token", token)
	}
}

// A handover may be the first leadership of its term seen here: a restarted sidecar may resume a term only to hand it over.
// The process that is there may work for that term, so its end must be seen too.

// drain is a handover, or the end of a term that was not resumed: a leadership with IsLeader false and a validUntil.
type drain struct {
	under       bool  // the newest leadership belongs to it
	transitions int64 // of the Lease; it identifies the term
	unled       bool  // its term never began here
	tracked     bool  // work includes the process that was there
}

// untracked reports whether nothing is known of the work that must end.
func (d drain) untracked() bool { return d.unled && !d.tracked }

// noteDrain records the begin of a drain before any look: a process that has ended by then may have left something.
func (m *machine) noteDrain(l leadership.Leadership, now bootclock.Instant) {
	switch d := m.drain; {
	case !l.Draining():
		m.drain.under = false
		return
	case d.under && d.transitions == l.Transitions:
	case m.leads:
		m.drain = drain{under: true, transitions: l.Transitions}
	default: // while a gain waits, what got its stop is known
		m.drain = drain{under: true, transitions: l.Transitions, unled: true, tracked: m.awaits && m.held == nil}
		if m.kill.IsZero() {
			m.stop = killtime.Stop{}
		}
	}
	m.track(l, now)
}

// track adds the present process to work if the drain's term never began here. A fence then kills it as in a planned stop.
func (m *machine) track(l leadership.Leadership, now bootclock.Instant) {
	if !m.drain.untracked() {
		return
	}
	if m.cfg.Fence && m.stop.Began.IsZero() && l.Draining() { // the stop timeout starts now; prolong uses it
		m.stop = m.rule().Next(m.stop, now, m.until, l)
	}
	if m.held == nil {
		return
	}
	m.drain.tracked = true
	m.addToWork(m.kin)
}
