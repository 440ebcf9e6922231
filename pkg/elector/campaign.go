package elector

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

const never = bootclock.Instant(math.MaxInt64)

// arm draws this candidate's turn for the version just seen.
func (m *machine) arm(now moment) {
	k := &m.know
	switch {
	case !k.present:
		k.readyAt = k.seenAt.Add(spread(m.rand()))
	case k.record.Released():
		k.readyAt = k.seenAt.Add(between(0, releaseSpread, m.rand()))
		if p := k.record.PreferredHolder; p != "" && p != string(m.cfg.Identity) {
			k.readyAt = k.readyAt.Add(preferenceGrace)
		}
		if k.record.RenewTime.Equal(m.term.released) { // our own release: another one's is free to us at once
			k.readyAt = max(k.readyAt, m.term.cooldownUntil)
		}
	default:
		k.readyAt = k.notBefore.Add(spread(m.rand()))
	}
	k.readyAt = k.readyAt.Add(time.Duration(MaxPriority-m.cfg.Priority) * priorityStep)
	m.explain(now)
}

// judge takes what the workload's health says. An unfit leader hands over; an unfit standby leaves the Lease to others.
func (m *machine) judge(now moment, e fitness) {
	if m.unfit == !e.fit {
		return
	}
	m.unfit = !e.fit
	if e.fit {
		m.note(slog.LevelInfo, "fit to lead", slog.String("why", e.why))
		return
	}
	m.note(slog.LevelWarn, "unfit to lead", reason("Unhealthy"), slog.String("why", e.why))
	switch { // even where the unfit may lead: perhaps a fit one is there
	case m.role == leading:
		m.drain(now, "unfit to lead: "+e.why)
	case m.resuming:
		m.term.order = "unfit to lead: " + e.why
	}
}

// takeAt returns when a standby's next attempt is due, [never] where none may be.
func (m *machine) takeAt() bootclock.Instant {
	k := &m.know
	switch {
	case m.terminating, m.over, !k.read:
		return never
	case k.present && k.version.Compare(k.floor) < 0:
		return never // a token now would be lower than one already given out (I6)
	case m.unfit && k.present && !m.cfg.LeadUnhealthy:
		return never
	case m.unfit && k.present:
		return max(k.readyAt.Add(m.cfg.Duration), k.tryAt)
	case m.term.abandoned && k.present && k.record.Holder == string(m.cfg.Identity):
		return max(k.readyAt.Add(m.cfg.Duration), k.tryAt) // its workload may still run: the others go first
	case m.resumable():
		return max(k.seenAt, k.tryAt)
	}
	return max(k.readyAt, k.tryAt)
}

// campaign returns the standby's attempt to lead, when it is due.
func (m *machine) campaign(now moment) *request {
	if now.boot.Before(m.takeAt()) {
		return nil
	}
	if !m.know.present {
		// Never with a holder: a create that is applied late would be a term that its sender has long given up (I4).
		return &request{verb: verbCreate, record: lease.Record{
			DurationSeconds: int32(m.cfg.Duration / time.Second), Workload: m.cfg.Workload,
		}}
	}
	m.note(slog.LevelInfo, "taking the Lease", slog.String("why", m.whyNow()), slog.String("version", string(m.know.version)))
	m.resuming = m.resumable()
	if !m.resuming { // a new term: what was ordered of the last one is done with
		m.term.order, m.term.abandoned = "", false
	}
	t := m.fresh(now)
	m.term.acquired, m.term.transitions = t, m.know.record.NextTransitions()
	r := m.mine(t)
	r.PreferredHolder = "" // the wish is answered
	m.send(now, t)
	return &request{verb: verbTake, record: r}
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
	return r
}

// whyNow says on what ground the Lease is taken.
func (m *machine) whyNow() string {
	switch {
	case m.resumable():
		return "resuming the term of the process before"
	case m.know.record.Released():
		return "the last holder released it"
	}
	return "nobody has written it for its whole duration"
}

// explain logs why the candidate waits, once for every kind of reason.
func (m *machine) explain(now moment) {
	if m.role != standby || m.over {
		return
	}
	situation := m.describe()
	if situation == m.know.situation {
		return
	}
	m.know.situation = situation
	m.note(slog.LevelInfo, "standing by", slog.String("why", situation),
		slog.String("wait", max(0, m.takeAtForLog(now)).String()))
}

func (m *machine) takeAtForLog(now moment) time.Duration {
	at := m.takeAt()
	if at == never {
		return 0
	}
	return at.Sub(now.boot).Round(time.Millisecond)
}

// describe says in words what the Lease looks like to a standby.
func (m *machine) describe() string {
	r := m.know.record
	switch {
	case !m.know.present:
		return "the Lease does not exist: it is created without a holder, and led one lease duration later"
	case m.know.version.Compare(m.know.floor) < 0:
		return "the store's versions are older than one already seen: it was restored, and nobody campaigns here until they have passed that"
	case m.resumable():
		return "the Lease is still held by the process before in this pod"
	case r.Released():
		return "the last holder released the Lease"
	case r.Holder == string(m.cfg.Identity) && m.term.abandoned:
		return "this replica abandoned its handover, and its workload may still run: the others go first"
	case r.Holder == string(m.cfg.Identity):
		return "the Lease was held by an earlier process of this pod that did not release it"
	case r.Holder != "" && r.Foreign():
		return fmt.Sprintf("the Lease is held by %s, which does not follow this protocol: its grace is added to the lease duration", r.Holder)
	case r.Holder != "":
		return "the Lease is held by " + r.Holder
	case r.Mark == "":
		return "the Lease is empty and nobody released it: a cut-off leader may still run, so it is free one lease duration after its last write"
	}
	return "the Lease's holder was cleared, but not by its own release: a cut-off leader may still run, so it is free one lease duration after its last write"
}
