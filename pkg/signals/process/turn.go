//go:build linux

package process

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// A turn is a look at /proc, and then an order for the guard and a signal for the process, by the current leadership. It
// ends when the leadership is applied, or has failed for now.

// due reports whether a turn begins: /proc is looked at, and the process gets the signal for the current leadership.
func (s *step) due() bool {
	switch {
	case s.fresh:
		s.fresh = !s.upToDate()
		s.asked = s.fresh
		return s.fresh
	case s.awaits && !s.mustWait(), s.ripe(), !s.now.Before(s.nextLook):
		s.asked = false
		return true
	}
	return false
}

// upToDate reports whether the process is there and got the signal for the leadership: a newer leadership is then a renewal.
func (s *step) upToDate() bool {
	l := s.leadership.At(s.now)
	return s.held != nil && s.leads == l.IsLeader && s.held.notified == noticeOf(l) && !s.held.owed
}

// renew moves the guard's deadlines.
func (s *step) renew() {
	switch {
	case !s.leads:
		s.prolong(s.leadership.At(s.now), s.now)
	case !s.termOrder().Equal(s.refused): // that is tried again with the next leadership, or look
		s.armTerm()
	}
}

// turn sends the process the signal for the current leadership.
func (s *step) turn() {
	l := s.leadership.At(s.now)
	switch {
	case !l.IsLeader:
		s.endTerm(l)
		s.lose()
	case !s.begin() || s.findErr != nil || s.held == nil:
		s.end(nil)
	default:
		s.elect(l)
	}
}

// end ends a turn.
func (s *step) end(err error) {
	err = errors.Join(err, s.missing())
	s.turning, s.fresh, s.failure = false, false, err
	if !s.asked { // else Apply returns it
		s.report(err)
	}
	s.nextLook = s.now.Add(s.lookInterval())
	s.out.turned = true
}

// missing returns why no process was found, but for the plain absence, which is logged when it changes.
func (s *step) missing() error {
	target := s.cfg.Target.String()
	switch {
	case s.findErr == nil:
		s.absent = ""
	case !errors.Is(s.findErr, errNone):
		return fmt.Errorf("find the %s: %w", target, s.findErr)
	case s.leads && s.absent != "leading":
		s.absent = "leading"
		s.log(slog.LevelWarn, "leading, and there is no process to signal", "reason", "ProcessMissing", "target", target, "error", s.findErr)
	case s.absent == "":
		s.absent = "standby"
		s.log(slog.LevelInfo, "no process to signal yet", "reason", "ProcessMissing", "target", target)
	}
	return nil
}

// report logs a failure when it comes a second time, and its end. A process that is starting does not catch its signals yet.
func (s *step) report(err error) {
	first := s.trouble.Changed(err) && err != nil
	switch {
	case first, !s.warned.Changed(err):
	case err == nil:
		s.log(slog.LevelInfo, "the process can be signalled again", "reason", "ProcessSignalWorks")
	default:
		s.log(slog.LevelWarn, "the process cannot be signalled", "reason", "ProcessSignalFails", "target", s.cfg.Target.String(), "error", err)
	}
}

// begin notes the beginning of a term. It reports false where the term must wait for what got a stop before it, which keeps its kill
// deadline.
func (s *step) begin() bool {
	switch {
	case s.leads:
		return true
	case s.mustWait():
		s.awaits = true
		return false
	}
	s.leads, s.work, s.kill, s.strayed = true, nil, 0, false
	s.stop, s.drain = killtime.Stop{}, drain{}
	return true
}

// endTerm notes the end of a term: what belonged to the workload must be gone before another replica may begin.
func (s *step) endTerm(l leadership.Leadership) {
	if !s.leads {
		s.track(l, s.now)
		s.prolong(l, s.now)
		return
	}
	s.leads, s.work = false, s.kin
	if s.cfg.Fence {
		s.aim(l, s.now)
	}
}
