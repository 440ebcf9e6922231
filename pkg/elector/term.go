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

	// told is the last validUntil that was published while leading, by this process or the one before, since the workload
	// was last seen to have stopped; zero: nobody was told since. It outlives every other end of a term.
	told          bootclock.Instant
	toldToken     string            // of that term: the one that the workload knows
	disownedUntil bootclock.Instant // end of a predecessor's term that was given up

	// order is why the term was asked to end; "": it was not. A term that was does not lead again, whatever is answered
	// late; the order stands until a new take of ours is sent.
	order     string
	abandoned bool // its drain was: it is neither released nor renewed, and never begins again

	drain         int // number of this drain; it never repeats
	drainBegan    bootclock.Instant
	settled       bool // the workload has been seen to stop
	settledAt     bootclock.Instant
	released      time.Time         // renew time of our last release
	cooldownUntil bootclock.Instant // who released does not take that release again before then
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
	clear(m.effort.failures) // the store has taken a write, whatever it answered
	m.effort.nextTry = 0     // a standby's pause must not hold up a renewal
	m.know.situation = ""
	m.term.disownedUntil = 0
	m.term.token, m.term.since = r.Version, now.wall.UTC().Round(0)
	m.term.acquired, m.term.transitions = r.AcquireTime, r.Transitions
	m.term.renewAt = m.sent[r.RenewTime.UnixMicro()].Add(m.cfg.RenewInterval)
	m.term.settled = false
	m.note(slog.LevelInfo, "leading", slog.String("token", string(r.Version)), slog.Int("transitions", int(r.Transitions)))
	switch { // where it turns out too late for the take, or for a renewal of a term that was to end
	case m.terminating:
		m.drain(now, "terminating")
	case m.term.order != "":
		m.drain(now, m.term.order)
	case m.unfit && !m.cfg.LeadUnhealthy:
		m.drain(now, "unfit to lead")
	}
}

// released is the reason of a term's end that was planned and done.
const released = "Released"

// stop ends a term at once, released or not. It takes no network and waits for nobody (I7).
func (m *machine) stop(now moment, word, why string) {
	lost := m.role == leading
	if m.role == drainingRole {
		m.out.settled = true
	}
	level := slog.LevelWarn
	if word == released {
		level = slog.LevelInfo
	}
	m.note(level, "no longer leading", reason(word), slog.String("why", why), slog.String("token", string(m.term.token)))
	m.role = standby
	m.term.settled = false
	m.know.tryAt = 0
	if lost {
		m.lose(why)
	}
}

// tend returns the request that a holder sends when it is due: a renewal, or the release once the workload has stopped
// and no hold on disk speaks for the term any more (I15).
func (m *machine) tend(now moment) *request {
	if m.role == drainingRole && m.term.settled && m.holding.clear(now) {
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
