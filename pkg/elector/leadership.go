package elector

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// leadership returns what is to be published now.
func (m *machine) leadership(now moment) leadership.Leadership {
	l := leadership.Leadership{
		Lease: m.cfg.Lease, Namespace: m.cfg.Namespace, Identity: string(m.cfg.Identity), BootID: m.bootID,
		Transitions: int64(max(m.know.record.Transitions, 0)), // somebody may have edited it to less than 0, which readers refuse
	}
	switch m.role {
	case leading:
		l.IsLeader, l.Token, l.Since = true, string(m.term.token), m.term.since
		l.Leader, l.LeaderUntil = m.cfg.Identity.Name(), m.term.validUntil
		l.ValidUntil = m.term.validUntil
	case draining: // the drain's validUntil, by which the workload must have stopped
		l.Leader, l.LeaderUntil = m.cfg.Identity.Name(), m.term.validUntil
		l.ValidUntil = m.term.validUntil
	case standby:
		l.Leader, l.LeaderUntil = m.observedLeader()
		l.ValidUntil = m.droppedUntil // by then a predecessor's workload must have stopped
	}
	if !l.ValidUntil.IsZero() {
		l.ValidUntilWall = now.wall.UTC().Add(l.ValidUntil.Sub(now.boot)).Truncate(time.Millisecond)
	}
	return l.At(now.boot)
}

// observedLeader returns the name of the holder last seen and when its term runs out, as far as that is known here.
func (m *machine) observedLeader() (string, bootclock.Instant) {
	r := m.know.record
	if !m.know.present || r.Holder == "" || r.Holder == string(m.cfg.Identity) {
		return "", 0
	}
	return naming.Identity(r.Holder).Name(), m.know.seenAt.Add(r.Validity())
}

// leadershipDue returns when something new is to be published. Of an inherited term nothing is, before the Lease has
// confirmed it (I14): what the predecessor published stands by itself until then.
func (m *machine) leadershipDue(now moment) bootclock.Instant {
	switch {
	case m.inherited != nil:
		return never
	case differs(m.leadership(now), m.published):
		return now.boot
	}
	at := never
	for _, end := range []bootclock.Instant{m.published.LeaderUntil, m.published.ValidUntil} {
		if !end.IsZero() {
			at = min(at, end)
		}
	}
	return at
}

func (m *machine) publish(now moment) {
	l := m.leadership(now)
	l.Observed = now.boot
	m.published, m.out.leadership = l, &l
	if l.IsLeader {
		m.workload = workload{max(m.workload.until, l.ValidUntil), l.Token}
	}
}

// differs reports whether l is news after old: anything but the reading of the wall clock.
func differs(l, old leadership.Leadership) bool {
	return !l.SameTerm(old) || l.ValidUntil != old.ValidUntil || l.LeaderUntil != old.LeaderUntil || l.BootID != old.BootID
}

// holdState returns what the hold file has to say now.
func (m *machine) holdState() HoldState {
	switch {
	case m.role != standby:
		return HoldState{
			UID: m.know.record.UID, AcquireTime: m.term.acquired, Token: string(m.term.token),
			Transitions: int64(m.term.transitions), Since: m.term.since,
			ValidUntil: m.term.validUntil, Leading: m.role == leading,
		}
	case m.inherited != nil:
		return m.saved
	}
	h := m.saved
	h.Leading = false
	return h
}
