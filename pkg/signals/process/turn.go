//go:build linux

package process

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// A turn is a look at /proc, then an order for the guard and a signal for the process, by the current leadership. It ends
// when the leadership is applied, or has failed for now.

// due reports whether a turn begins.
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

// upToDate reports whether the process has got the signal for the leadership, so that a newer one is only a renewal.
func (s *step) upToDate() bool {
	l := s.leadership.At(s.now)
	return s.held != nil && s.leads == l.IsLeader && s.held.notified == noticeOf(l) && !s.held.owed
}

func (s *step) renew() {
	switch {
	case !s.leads:
		s.prolong(s.leadership.At(s.now), s.now)
	case !s.termOrder().Equal(s.refused): // retried with the next leadership or look
		s.armTerm()
	}
}

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

func (s *step) end(err error) {
	err = errors.Join(err, s.missing())
	s.turning, s.fresh, s.failure = false, false, err
	if !s.asked { // otherwise Apply returns it
		s.report(err)
	}
	s.nextLook = s.now.Add(s.lookInterval())
	s.out.turned = true
}

// missing returns why no process was found. Plain absence is no error; it is logged when it changes.
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
	case !s.leads && s.absent == "leading":
		s.absent = "standby" // the next term says so again
	case s.absent == "":
		s.absent = "standby"
		s.log(slog.LevelInfo, "no process to signal yet", "reason", "ProcessMissing", "target", target)
	}
	return nil
}

// report logs a failure when it occurs a second time, and its end. A starting process does not catch its signals yet.
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

// begin starts a term. It reports false if the term must wait for something that got a stop, which keeps its kill deadline.
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

// endTerm ends a term: everything of the workload must be gone before another replica may begin.
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
