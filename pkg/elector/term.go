package elector

import (
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// term is what a candidate knows of its own leadership.
type term struct {
	validUntil  bootclock.Instant
	token       lease.Version
	since       time.Time // wall clock, for documents
	acquired    time.Time // acquireTime as written
	transitions int32
	renewAt     bootclock.Instant
	told        bootclock.Instant // the workload may believe until then that it leads, by this term or a predecessor's; zero: it has stopped

	drain         int               // number of this drain; it never repeats
	cause         string            // who asked for it
	until         bootclock.Instant // the last validUntil published while leading
	drainBegan    bootclock.Instant
	settled       bool // the workload has been seen to stop
	settledAt     bootclock.Instant
	cooldownUntil bootclock.Instant // who released does not take a released Lease again before then
}

// asWritten reports whether r is as this candidate writes it, whichever of its renewals it shows.
func (t *term) asWritten(m *machine, r lease.Record) bool {
	want := m.mine(r.RenewTime)
	_, ours := m.sent[r.RenewTime.UnixMicro()]
	return ours && r.DurationSeconds == want.DurationSeconds && r.AcquireTime.Equal(want.AcquireTime) &&
		r.Transitions == want.Transitions && r.Mark == want.Mark && r.Workload == want.Workload
}

// lead begins a term by a record that proves it.
func (m *machine) lead(now moment, r lease.Record) {
	m.inherited = nil
	m.role = leading
	clear(m.failures) // the store has taken a write, whatever it answered
	m.nextTry = 0     // a standby's pause must not hold up a renewal
	m.know.situation = ""
	m.term.token, m.term.since = r.Version, now.wall.UTC().Round(0)
	m.term.acquired, m.term.transitions = r.AcquireTime, r.Transitions
	m.term.renewAt = m.sent[r.RenewTime.UnixMicro()].Add(m.cfg.RenewInterval)
	m.term.settled = false
	m.note(slog.LevelInfo, "leading", slog.String("token", string(r.Version)), slog.Int("transitions", int(r.Transitions)))
	switch { // where it turns out too late for the take
	case m.terminating:
		m.drain(now, "terminating")
	case m.unfit && !m.cfg.LeadUnfit:
		m.drain(now, "unfit to lead")
	}
	if m.role == drainingRole && !now.boot.Before(m.term.told) {
		m.settle(now) // nobody has been told of this term, nor of one that it resumes: nothing has to stop
	}
}

// stop ends a term at once, released or not. It takes no network and waits for nobody (I7).
func (m *machine) stop(now moment, why string) {
	if m.role == drainingRole {
		m.out.settled = true
	}
	level := slog.LevelWarn
	if why == "released" {
		level = slog.LevelInfo
	}
	m.note(level, "no longer leading", slog.String("why", why), slog.String("token", string(m.term.token)))
	m.role = standby
	m.term.settled = false
	m.know.tryAt = 0
	m.drift.settle()
}

// drain begins a handover: the workload is told to stop, and the Lease is kept until it has. A candidate that
// drains does not lead again (I10).
func (m *machine) drain(now moment, cause string) {
	m.role = drainingRole
	m.term.cause, m.term.until, m.term.drainBegan = cause, m.term.validUntil, now.boot
	m.term.settled = false
	m.note(slog.LevelInfo, "handing over: waiting for the workload to stop", slog.String("cause", cause))
	m.ask()
}

// ask wants to know when the workload has stopped, in place of what was asked before.
func (m *machine) ask() {
	m.term.drain++
	m.out.drain = &draining{number: m.term.drain, Drain: Drain{
		Cause: m.term.cause, Terminating: m.terminating, Began: m.term.drainBegan, Until: m.term.until, Token: string(m.term.token),
	}}
}

// settle takes the news that the workload has stopped: what follows is a read, as only a record just read may be
// blanked (I5).
func (m *machine) settle(now moment) {
	m.term.settled, m.term.settledAt = true, now.boot
	m.term.told = 0
	m.getDue, m.nextTry = true, 0
	m.out.settled = true
}

// tend returns the request that a holder sends when it is due: a renewal, or the release once the workload has
// stopped.
func (m *machine) tend(now moment) *request {
	if m.role == drainingRole && m.term.settled {
		return m.release(now)
	}
	if now.boot.Before(m.term.renewAt) || !m.know.present {
		return nil
	}
	t := m.fresh(now)
	m.send(now, t)
	m.term.renewAt = now.boot.Add(m.cfg.RenewInterval)
	return &request{verb: verbRenew, record: m.mine(t)}
}

// release returns the write that clears the holder. It comes straight after a read that showed the record as ours:
// any other holder would have ended the drain. Release last: a standby may start the instant the holder clears (I5).
func (m *machine) release(now moment) *request {
	clear(m.sent) // a renewal still on its way must not count after the blank
	t := m.fresh(now)
	r := m.mine(t)
	r.Holder, r.DurationSeconds, r.Mark = "", 1, lease.ReleasedMark(t)
	m.term.cooldownUntil = now.boot.Add(releaseCooldown)
	return &request{verb: verbRelease, record: r}
}

// terminate begins the end of the process: a leader hands over first, a standby takes nothing more.
func (m *machine) terminate(now moment) {
	if m.terminating {
		return
	}
	m.terminating = true
	m.disown("the process is terminating")
	switch m.role {
	case leading:
		m.drain(now, "terminating")
	case drainingRole:
		if !m.term.settled {
			m.ask() // again, as a process that ends may settle sooner
		}
	case standby:
	}
}

// hurry gives up waiting for a workload that has not been seen to stop: the Lease is left to run out, so that the
// next leader starts when this one's workload can no longer believe. A release under way goes on.
func (m *machine) hurry(now moment) {
	if m.role == drainingRole && !m.term.settled {
		m.stop(now, "told to hurry before the workload was seen to stop: the Lease is not released and runs out")
	}
}

// yieldToPreferred hands over when somebody asked, in the Lease itself, for another holder.
func (m *machine) yieldToPreferred(now moment) {
	if p := m.know.record.PreferredHolder; m.role == leading && p != "" && p != string(m.cfg.Identity) {
		m.drain(now, "the Lease asks for "+p+" as its holder")
	}
}
