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
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// This file decides which signal the process gets, and in which order. A process may handle two pending signals in either
// order: C programs begin with the highest number, CPython and Go with the lowest. So a gain waits until a loss is taken and
// handled, [guard.HandlingTime] at least. A loss never waits, but is sent again if a gain was pending.

const (
	// busyMax is how much longer a gain waits for a busy process, which may not have run its handler yet.
	busyMax = 2 * time.Second
	// repeatsMax bounds how often a busy process gets an owed loss. With doubling pauses, this takes about 3 s.
	repeatsMax = 6
)

// errUntaken says that a signal is still pending, so the order of two signals is not certain.
var errUntaken = errors.New("it has not taken the signal before: it is stopped, frozen or starved, and two pending signals are handled in either order: the next one is sent once it runs")

// ordered reports whether it matters which of the two signals is handled last. It does not if a loss ends the process, or
// parks it, which needs no handler.
func (c Config) ordered() bool {
	return c.OnElected != 0 && c.OnLost != 0 && !c.Fence && !c.OnLost.Ends() && !c.OnLost.Parks()
}

// elect sends the gain. It arms the guard first: a sidecar may freeze, but no process may lead without a deadline.
func (s *step) elect(l leadership.Leadership) {
	h := s.held
	if h.notified == noticeOf(l) {
		if !s.armTerm() {
			s.end(nil)
		}
		return
	}
	for _, signo := range []Signo{s.cfg.OnElected, s.cfg.OnLost} { // no gain without a loss that can follow it
		if err := s.admit(signo); err != nil {
			s.end(err)
			return
		}
	}
	if s.cfg.ordered() {
		if err := s.await(s.cfg.OnLost); err != nil {
			s.end(err)
			return
		}
		if s.now.Before(h.handled) {
			s.out.wait = h.handled
			return
		}
		if s.handling() {
			s.end(s.holdBack())
			return
		}
	}
	if s.armTerm() {
		return
	}
	s.send(action{purpose: forGain, signo: s.cfg.OnElected, notice: noticeOf(l)})
}

// lose sends the loss to the process, or to what it left behind.
func (s *step) lose() {
	h := s.held
	switch {
	case h == nil:
		s.signalStrays()
	case h.notified != lossNotice:
		if s.cfg.dismisses() {
			if s.cfg.Fence && h.led.IsZero() && s.kill.IsZero() { // of no term known here
				s.kill = s.now.Add(s.cfg.KillMargin / 2)
			}
			s.addToWork(s.kin)
		}
		if err := s.admit(s.cfg.OnLost); err != nil {
			s.end(err)
			return
		}
		overtaken := s.cfg.ordered() && s.await(s.cfg.OnElected) != nil
		s.send(action{purpose: forLoss, signo: s.cfg.OnLost, notice: lossNotice, overtaken: overtaken})
	case h.owed:
		s.repeat()
	default:
		s.end(nil)
	}
}

// repeat sends the owed loss once the process has taken both signals and had time to handle them. If it is busy then, its
// handlers may not have run, so it gets another.
func (s *step) repeat() {
	if err := s.await(s.cfg.OnElected, s.cfg.OnLost); err != nil {
		s.end(err)
		return
	}
	if s.now.Before(s.held.handled) {
		s.end(s.holdBack())
		return
	}
	s.send(action{purpose: forRepeat, signo: s.cfg.OnLost, notice: lossNotice, busy: s.busy()})
}

// send sends a signal to the process. If there is none to send, the process counts as signalled.
func (s *step) send(a action) {
	a.kind, a.to = sendSignal, []procfs.Process{s.held.Process}
	if a.signo == 0 {
		s.sent(a)
		s.turn()
		return
	}
	s.do(a)
}

// signalled records the results of sent signals. A process that has meanwhile ended needs none.
func (s *step) signalled(done action, errs []error) {
	for i, to := range done.to {
		err := errs[i]
		if err != nil && !errors.Is(err, procfs.ErrOver) {
			err = fmt.Errorf("send %s to %s: %w", done.signo, to, err)
		}
		isHeld := s.held != nil && s.held.ID == to.ID
		switch done.purpose {
		case forDeadline:
			s.noteKilled(to, err)
		case forStrays:
			if err != nil && !errors.Is(err, procfs.ErrOver) {
				s.log(slog.LevelWarn, "what the process left behind cannot be signalled", "reason", "ProcessSignalFails",
					"pid", to.PID, "command", to.Comm, "error", err)
			}
		default:
			switch {
			case !isHeld: // its end was seen
			case err == nil:
				s.log(slog.LevelInfo, "signalled the process", "reason", "ProcessSignalled", "pid", to.PID, "command", to.Comm,
					"process_signal", done.signo.String(), "leading", done.notice.leading())
				s.sent(done)
			case errors.Is(err, procfs.ErrOver):
				s.noteEnd()
			case s.turning:
				s.end(err)
			}
		}
	}
}

// sent records which signal the process got.
func (s *step) sent(a action) {
	h := s.held
	h.notified, h.owed, h.heldBack = a.notice, false, false
	if a.purpose == forGain {
		s.gained = s.now
		return
	}
	h.handled = s.now.Add(guard.HandlingTime)
	if s.cfg.dismisses() {
		h.dismissed = s.now
	}
	switch {
	case a.purpose == forLoss:
		h.owed, h.repeats = a.overtaken, 0
	case a.busy && h.repeats < repeatsMax:
		h.owed, h.heldBack, h.handled = true, true, s.now.Add(guard.HandlingTime<<h.repeats)
		h.repeats++
	}
}

// signalStrays sends an ending signal to what the ended process left behind, such as the workers of a killed master.
func (s *step) signalStrays() {
	if s.strayed || !s.cfg.OnLost.Ends() || len(s.work) == 0 {
		s.end(nil)
		return
	}
	s.strayed = true
	s.do(action{kind: sendSignal, purpose: forStrays, signo: s.cfg.OnLost, to: slices.Clone(s.work)})
}

// await returns nil if the process has taken all of these signals, else errUntaken.
func (s *step) await(signos ...Signo) error {
	h := s.held
	if s.view.process.err != nil {
		return fmt.Errorf("see which signals %s has taken: %w", h.Process, s.view.process.err)
	}
	for _, signo := range signos {
		if s.view.process.signals.Pending.Has(syscall.Signal(signo)) {
			h.untaken = true
			return s.holdBack()
		}
	}
	if h.untaken {
		h.untaken, h.handled = false, max(h.handled, s.now.Add(guard.HandlingTime))
	}
	return nil
}

// holdBack delays the signal. The process is then viewed often.
func (s *step) holdBack() error {
	s.held.heldBack = true
	return fmt.Errorf("signal %s: %w", s.held.Process, errUntaken)
}

// ripe reports whether the delayed signal can be sent.
func (s *step) ripe() bool {
	switch {
	case s.held == nil, !s.held.heldBack, s.await(s.cfg.OnElected, s.cfg.OnLost) != nil:
		return false
	case s.held.owed:
		return !s.now.Before(s.held.handled)
	}
	return !s.handling()
}

// handling reports whether the process may not have run its handlers yet.
func (s *step) handling() bool {
	switch {
	case s.now.Before(s.held.handled):
		return true
	case !s.now.Before(s.held.handled.Add(busyMax)):
		return false
	}
	return s.busy()
}

func (s *step) busy() bool { return s.view.process.state != 0 && s.view.process.state != 'S' }

// admit refuses a signal that would not have its purpose: one meant as news if the process would die of it or not notice it,
// and one meant to end the process if it ignores the signal.
func (s *step) admit(signo Signo) error {
	if signo == 0 {
		return nil
	}
	if s.view.process.err != nil {
		return fmt.Errorf("see what %s does with %s: %w", s.held.Process, signo, s.view.process.err)
	}
	return admit(s.held.Process, signo, s.view.process, s.cfg.Fence)
}

func admit(p procfs.Process, signo Signo, seen heldView, fenced bool) error {
	n := syscall.Signal(signo)
	caught := seen.signals.Caught.Has(n)
	ignored := seen.signals.Ignored.Has(n)
	switch {
	case p.PID == 1 && (signo.forced() || signo.meant() && !caught):
		return fmt.Errorf("%s does nothing to %s: the kernel keeps the first process of a pid namespace from it: run the program under an init (docker: init, Kubernetes: shareProcessNamespace)", signo, p)
	case signo.forced() || signo == cont || caught:
		return nil
	case ignored && signo.meant() && fenced:
		return nil // the fence will kill it
	case ignored:
		return fmt.Errorf("%s ignores %s: choose a signal that it acts on", p, signo)
	case signo.meant():
		return nil
	}
	return fmt.Errorf("%s does not catch %s and would die of it, or not hear it: choose a signal that it catches, or for the loss TERM or STOP", p, signo)
}
