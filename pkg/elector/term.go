package elector

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// term is this candidate's own leadership, from its take on. It leads from becomeLeader to beginDrain or becomeStandby.
type term struct {
	validUntil  bootclock.Instant
	renewAt     bootclock.Instant
	token       lease.Version
	since       time.Time // wall clock, for documents
	acquired    time.Time // acquireTime as written
	transitions int32
}

// reset ends what belongs to one term. What outlives a term is kept elsewhere: see [machine].
func (m *machine) reset() {
	m.term, m.drain = term{}, drain{}
	m.succession = succession{preference: m.succession.preference}
	m.know.tryAt = 0
}

// becomeLeader begins a term by a record that proves it, valid until the renew deadline after that write was sent.
func (m *machine) becomeLeader(now moment, r lease.Record, validUntil bootclock.Instant) {
	m.reset()
	m.role = leading
	m.term = term{
		validUntil: validUntil, renewAt: m.sent[r.RenewTime.UnixMicro()].Add(m.cfg.RenewInterval),
		token: r.Version, since: now.wall.UTC().Round(0), acquired: r.AcquireTime, transitions: r.Transitions,
	}
	m.effort.nextTry = 0 // a standby's pause must not hold up a renewal
	m.know.situation = ""
	text, why := "leading", reason("BecameLeader")
	resumed := m.inherited != nil
	if resumed {
		text, why = "the term of the process before in this pod is resumed, under a new token", "TermResumed"
	}
	m.inherited, m.droppedUntil, m.lapse.over = nil, 0, false
	m.info(why, text, slog.String("token", string(r.Version)), slog.Int("transitions", int(r.Transitions)))
	switch { // it was to end before its take, or a late renewal, was answered
	case m.terminating:
		m.beginDrain(now, "terminating")
	case m.ending.cause != "":
		m.beginDrain(now, m.ending.cause)
	case m.leaving && !resumed: // of a resumed term, the workload may still work, and it ends with the pod
		m.beginDrain(now, "leaving")
	case m.unhealthy && !m.cfg.LeadUnhealthy:
		m.beginDrain(now, "unhealthy")
	}
}

// becomeStandby ends the term at once, if there is one, released or not. It takes no network and waits for nobody (I7).
func (m *machine) becomeStandby(r reason, why string) {
	if m.role == standby {
		return
	}
	lost := m.role == leading
	m.endStopWait()
	severity := slog.LevelWarn
	if r == released {
		severity = slog.LevelInfo
	}
	m.note(severity, r, "no longer leading", detail(why), slog.String("token", string(m.term.token)))
	m.role = standby
	m.reset()
	m.getDue = m.getDue || m.rights.mayNotRead() // it is asked for again, as nothing else shows that it is allowed by now
	if lost {
		m.exitOnLoss(why)
	}
}

// exitOnLoss ends the election where a loss that nobody asked for must end the process.
func (m *machine) exitOnLoss(why string) {
	if m.cfg.ExitOnLoss && !m.over {
		m.over, m.overErr = true, fmt.Errorf("%w: %s", ErrLeadershipLost, why)
	}
}

// termEnds returns when this candidate's term ends unless it is renewed.
func (m *machine) termEnds(moment) bootclock.Instant {
	if m.role == standby {
		return never
	}
	return m.term.validUntil
}

// renewal returns the write that keeps the term.
func (m *machine) renewal(now moment) lease.Record {
	t := m.fresh(now)
	m.noteSent(now, t)
	m.term.renewAt = now.boot.Add(m.cfg.RenewInterval)
	return m.mine(t)
}

// mine returns the last record seen, as this candidate writes it while it holds the Lease.
func (m *machine) mine(renewTime time.Time) lease.Record {
	r := m.know.record
	r.Holder = string(m.cfg.Identity)
	r.DurationSeconds = int32(m.cfg.Duration / time.Second)
	r.AcquireTime, r.RenewTime = m.term.acquired, renewTime
	r.Transitions = m.term.transitions
	r.Mark = lease.HeldMark(r.Holder, m.cfg.Duration)
	if m.cfg.Workload != "" {
		r.Workload = m.cfg.Workload
	}
	return m.succession.withAnswer(r)
}

// asWritten reports whether r is as this candidate writes it, whichever of its renewals that still count it shows.
func (m *machine) asWritten(now moment, r lease.Record) bool {
	want := m.mine(r.RenewTime)
	sentAt, ours := m.sent[r.RenewTime.UnixMicro()]
	return ours && now.boot.Before(sentAt.Add(m.cfg.RenewDeadline)) && r.DurationSeconds == want.DurationSeconds && r.AcquireTime.Equal(want.AcquireTime) &&
		r.Transitions == want.Transitions && r.Mark == want.Mark && r.Workload == want.Workload
}

// fresh returns a renew time for the next write: a whole second that no write of ours has used, so that electors
// that compare by the second see every renewal, and random microseconds, so that no two processes use the same.
func (m *machine) fresh(now moment) time.Time {
	t := now.wall.UTC().Truncate(time.Second)
	if next := m.lastRenew.Add(time.Second); t.Before(next) {
		t = next
	}
	m.lastRenew = t
	return t.Add(between(0, time.Second, m.rand()).Truncate(time.Microsecond))
}

// noteSent notes that a write with that renew time leaves at now, and forgets those that nobody asks for any more: see [lapse].
func (m *machine) noteSent(now moment, renewTime time.Time) {
	for t, at := range m.sent {
		if !now.boot.Before(at.Add(m.cfg.Duration)) {
			delete(m.sent, t)
		}
	}
	m.sent[renewTime.UnixMicro()] = now.boot
	m.twins.sent(renewTime)
}
