//go:build linux

package process

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// machine decides what the process signal does next. It has four inputs: [machine.lead] takes a leadership, [machine.decide] what was
// seen at one moment, [machine.addSeen] what a sight has seen between two decisions, and [machine.close] the end. Decide returns one
// action at most. The machine reads no clock and no /proc, takes no lock and starts nothing: [Process] does that, and calls it under its
// own lock. The same inputs always give the same outputs, so the transcripts in testdata test it.
type machine struct {
	cfg Config // without Clock, Log and Crashed

	leadership leadership.Leadership // the newest
	known      bool                  // there is one
	fresh      bool                  // it has come since the last turn
	asked      bool                  // the turn is for a leadership that has just come
	pending    action                // the action that has no answer yet

	turning bool         // /proc was looked at for a turn, which has not ended
	findErr error        // why that look found no process
	failure error        // how the last turn ended; nil: the leadership is applied, or no process is there
	warned  trouble.Last // what the log says of turns that nobody asked for
	trouble trouble.Last // the end of the last such turn

	held      *held            // the process; nil: none
	everFound bool             // there has been one
	kin       []procfs.Process // the process, all that it started, and its namesakes, as last seen
	work      []procfs.Process // kin at the end of the term, and what they have started since: when these are gone, the workload has stopped

	leads   bool              // the term has begun here
	until   bootclock.Instant // the last validUntil that came with leadership
	awaits  bool              // this replica leads, but what got a stop is not gone, so no process gets the gain
	awaited string            // the token of the term for which that is in the log
	strayed bool              // what an ended process left behind has got its signal
	drain   drain             // the newest drain, also when it is over
	gained  bootclock.Instant // when a process got the last gain
	absent  string            // what the log says of a missing process: "", "standby" or "leading"

	order       procfs.Order      // what the guard has; zero: nothing
	refused     procfs.Order      // what it has refused since the leadership came
	stop        killtime.Stop     // of the last term's work, where there is a fence
	kill        bootclock.Instant // when the fence kills; zero: never
	killAgainAt bootclock.Instant // when it tries again
	closing     bool              // nothing else happens any more

	nextLook       bootclock.Instant // when /proc is looked at next
	lookOftenUntil bootclock.Instant // until then often
	took           time.Duration     // what the last look took of a processor
	stale          bool              // a look that is under way does not count: lead or addSeen came after its begin
}

// held is the process that gets the signals.
type held struct {
	procfs.Process
	notified  notice            // what it was signalled last
	handled   bootclock.Instant // until then it has its time to handle the signal before; zero: it had that long ago
	untaken   bool              // a signal was pending when that was looked at last
	heldBack  bool              // its next signal waits for that
	owed      bool              // it gets the loss once more, as it may handle a gain after the first
	repeats   int               // how often it got that while it was busy
	led       bootclock.Instant // the last validUntil of a term in which it was there; zero: none
	dismissed bootclock.Instant // when it got its last stop; zero: none, or it has outlived that
	killed    bool
}

// notice is what a process was signalled last: "" for nothing, lossNotice, or the gain of a term.
type notice string

const lossNotice notice = "loss"

func noticeOf(l leadership.Leadership) notice {
	if l.IsLeader {
		return notice("gain of term " + l.Token)
	}
	return lossNotice
}

func (n notice) leading() bool { return n != "" && n != lossNotice }

func newMachine(cfg Config) machine {
	cfg.Clock, cfg.Log, cfg.Crashed = nil, nil, nil
	return machine{cfg: cfg}
}

// lead takes a leadership.
func (m *machine) lead(l leadership.Leadership, now bootclock.Instant) {
	if !m.leadership.SameTerm(l) {
		m.turning, m.stale = false, true // a new turn looks again, at what is there now
	}
	m.leadership, m.known, m.fresh, m.failure, m.refused = l, true, true, nil, procfs.Order{}
	if l.IsLeader {
		m.until = max(m.until, l.ValidUntil)
	}
	m.noteDrain(l.At(now), now)
}

// step is one call of decide.
type step struct {
	*machine
	now   bootclock.Instant
	view  view
	table procfs.Table // nil: not read in this step
	out   output
}

// decide returns what to do next. A view that does not answer the action before is an error: nothing else changes, and the next call
// begins with a new turn.
func (m *machine) decide(v view) (output, error) {
	if pending := m.pending.kind; v.answer.of != pending {
		m.pending, m.turning, m.nextLook = action{}, false, 0
		return output{next: v.now.Add(lookSoon)}, fmt.Errorf("illegal answer: %s, where %s is pending", v.answer.of, pending)
	}
	s := &step{machine: m, now: v.now, view: v}
	if s.held != nil && s.view.process.id == s.held.ID && s.view.process.ended {
		s.noteEnd()
	}
	done := m.pending
	m.pending = action{}
	s.take(done)
	s.guardWasFaster()
	switch {
	case s.acts():
	case s.held != nil && s.view.process.id != s.held.ID:
		s.do(action{kind: viewNow})
	case !s.known, s.closing:
	case s.turning:
		s.turn()
	case s.due():
		s.do(action{kind: lookNow, find: true})
	case s.upToDate():
		s.renew()
	}
	if s.known && !s.acts() {
		s.killDue()
	}
	if s.known && !s.acts() && !s.turning && !s.closing {
		s.guardFence()
	}
	s.schedule()
	m.pending, m.stale = s.out.action, false
	return s.out, nil
}

func (s *step) acts() bool { return s.out.action.kind != nothing }

func (s *step) do(a action) { s.out.action = a }

func (s *step) log(severity slog.Level, message string, args ...any) {
	s.out.records = append(s.out.records, record{severity, message, args})
}

// take notes what came of an action.
func (s *step) take(done action) {
	switch done.kind {
	case lookNow:
		s.looked(done, s.view.answer.look)
	case armGuard:
		s.armed(done, s.view.answer.errs[0])
	case sendSignal:
		s.signalled(done, s.view.answer.errs)
	}
}

// looked takes what was read of /proc. A look at the table alone is for the fence.
func (s *step) looked(done action, l look) {
	switch {
	case s.stale: // it may lack a process that has started since
		s.do(done)
		return
	case done.find:
		s.turning, s.awaits, s.findErr = true, false, errors.Join(l.err, l.findErr)
	case l.err != nil:
		s.log(slog.LevelWarn, "the fence cannot see what to kill", "reason", "FenceBlind", "error", l.err)
		s.killAgainAt = s.now.Add(failedPause)
	}
	if done.find && l.err == nil {
		s.found(l)
	}
	if l.err == nil {
		if !done.find {
			l.namesakes = s.kin
		}
		s.table = l.table
		s.remember(l.namesakes)
	}
	if s.held != nil && done.find {
		s.held.heldBack = false
	}
	s.took = l.took
}

// found takes the process that was found in place of the one before, which the pid file does not name any more.
func (s *step) found(l look) {
	switch h := s.held; {
	case l.findErr == nil && (h == nil || h.ID != l.found.ID):
		s.held, s.everFound = &held{Process: l.found}, true
		s.log(slog.LevelInfo, "found the process to signal", "reason", "ProcessFound", "pid", l.found.PID, "command", l.found.Comm)
	case errors.Is(l.findErr, errNone) && h != nil && !h.notified.leading():
		s.held = nil // it has become another program
	}
}

// noteEnd notes that the process has ended. While this replica leads that is a crash, unless the process got a stop.
func (s *step) noteEnd() {
	h := s.held
	leading := s.leadership.At(s.now).IsLeader
	s.log(slog.LevelInfo, "the process has ended", "reason", "ProcessEnded", "pid", h.PID, "command", h.Comm, "leading", leading)
	s.out.crashed = s.out.crashed || leading && h.dismissed.IsZero()
	s.held = nil
	s.nextLook, s.lookOftenUntil = 0, s.now.Add(soonFor)
}
