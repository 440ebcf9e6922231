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

// machine decides what the process signal does next. Its inputs are [machine.lead] (a leadership), [machine.decide] (what
// was seen at one moment; it returns at most one action), [machine.addSeen] (what a sight saw between two decisions) and
// [machine.close]. The machine reads no clock and no /proc, takes no lock and starts nothing: [Process] does that, and calls
// it under its own lock. The same inputs always give the same outputs.
type machine struct {
	cfg Config // without Clock, Log and Crashed

	leadership leadership.Leadership // the newest
	known      bool                  // leadership is set
	fresh      bool                  // it came after the last turn
	asked      bool                  // this turn is for a leadership that has just come
	pending    action                // the action that has no answer yet

	turning bool         // a turn has read /proc and has not ended
	findErr error        // why that look found no process
	failure error        // how the last turn ended; nil: the leadership is applied, or there is no process
	warned  trouble.Last // the log's last message on turns that no Apply asked for
	trouble trouble.Last // how the last such turn ended

	held      *held            // the process; nil: none
	everFound bool             // there has been one
	kin       []procfs.Process // the process, its descendants and its namesakes, as last seen
	work      []procfs.Process // kin at the end of the term and later descendants: when all are gone, the workload has stopped

	leads   bool              // the term has begun here
	until   bootclock.Instant // the last validUntil of a leadership that leads
	awaits  bool              // this replica leads, but something that got a stop is alive, so no process gets the gain
	awaited string            // the token of the term for which that was logged
	strayed bool              // what an ended process left behind got its signal
	drain   drain             // the latest drain, even when it is over
	gained  bootclock.Instant // when a process got the last gain
	absent  string            // what was logged about a missing process: "", "standby" or "leading"

	order       procfs.Order      // the guard's order; zero: none
	refused     procfs.Order      // the order that the guard refused since the leadership came
	stop        killtime.Stop     // of the last term's work, with a fence
	kill        bootclock.Instant // when the fence kills; zero: never
	killAgainAt bootclock.Instant // when the fence tries again
	closing     bool              // nothing else happens any more

	nextLook       bootclock.Instant // when to read /proc next
	lookOftenUntil bootclock.Instant // until then, /proc is read often
	took           time.Duration     // the processor time of the last look
	stale          bool              // discard a look in progress: lead or addSeen came after it began
}

// held is the process that gets the signals.
type held struct {
	procfs.Process
	notified  notice            // what the last signal meant
	handled   bootclock.Instant // until then it may be handling the last signal; zero: that was long ago
	untaken   bool              // a signal was pending at the last view
	heldBack  bool              // its next signal waits for that
	owed      bool              // it gets the loss again, as it may handle a gain after the first
	repeats   int               // how often it got the loss again while busy
	led       bootclock.Instant // the last validUntil of a term in which it lived; zero: none
	dismissed bootclock.Instant // when it got its last stop; zero: none, or it outlived that
	killed    bool
}

// notice says which signal a process got last: "" for none, lossNotice, or the gain of a term.
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

func (m *machine) lead(l leadership.Leadership, now bootclock.Instant) {
	if !m.leadership.SameTerm(l) {
		m.turning, m.stale = false, true // a new turn looks again
	}
	m.leadership, m.known, m.fresh, m.failure, m.refused = l, true, true, nil, procfs.Order{}
	if l.IsLeader {
		m.until = max(m.until, l.ValidUntil)
	}
	m.noteDrain(l.At(now), now)
}

type step struct {
	*machine
	now   bootclock.Instant
	view  view
	table procfs.Table // nil: not read in this step
	out   output
}

// decide returns what to do next. A view that does not answer the pending action is an error, after which a new turn begins.
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

// take records the result of an action.
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

// looked takes the result of a read of /proc. A look that did not search the target serves the fence.
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

// found takes the found process in place of the held one, which the pid file no longer names.
func (s *step) found(l look) {
	switch h := s.held; {
	case l.findErr == nil && (h == nil || h.ID != l.found.ID):
		s.held, s.everFound = &held{Process: l.found}, true
		s.log(slog.LevelInfo, "found the process to signal", "reason", "ProcessFound", "pid", l.found.PID, "command", l.found.Comm)
	case errors.Is(l.findErr, errNone) && h != nil && !h.notified.leading():
		s.held = nil // it is now another program
	}
}

// noteEnd records that the process has ended. While this replica leads that is a crash, unless the process got a stop.
func (s *step) noteEnd() {
	h := s.held
	leading := s.leadership.At(s.now).IsLeader
	s.log(slog.LevelInfo, "the process has ended", "reason", "ProcessEnded", "pid", h.PID, "command", h.Comm, "leading", leading)
	s.out.crashed = s.out.crashed || leading && h.dismissed.IsZero()
	s.held = nil
	s.nextLook, s.lookOftenUntil = 0, s.now.Add(soonFor)
}
