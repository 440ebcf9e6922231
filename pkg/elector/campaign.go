package elector

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// cooldown keeps a candidate that has released the Lease from winning the same release back at once.
type cooldown struct {
	release time.Time         // the renew time of our last release
	until   bootclock.Instant // when we may take that release
}

// worthLogging is how late a take must be for its log record to say so.
const worthLogging = 100 * time.Millisecond

// drawTurn draws this candidate's turn for the version just seen.
func (m *machine) drawTurn(now moment) {
	k := &m.know
	headStart, first := m.headStart()
	switch {
	case first:
		k.readyAt = k.seenAt
		m.explain(now)
		return
	case !k.present:
		k.readyAt = k.seenAt.Add(spread(m.rand()))
	case k.record.Released():
		k.readyAt = k.seenAt.Add(turn(m.rand()))
		if p := k.record.PreferredHolder; p != "" && p != string(m.cfg.Identity) {
			k.readyAt = k.readyAt.Add(preferenceGrace)
		}
		if k.record.RenewTime.Equal(m.cooldown.release) { // the cooldown is for our own release alone
			k.readyAt = max(k.readyAt, m.cooldown.until)
		}
	default:
		k.readyAt = k.notBefore.Add(spread(m.rand()))
	}
	k.readyAt = k.readyAt.Add(time.Duration(MaxPriority-m.cfg.Priority)*priorityStep + headStart)
	m.explain(now)
}

// takeAt returns when a standby's next attempt is due, [never] where none may be.
func (m *machine) takeAt() bootclock.Instant {
	k := &m.know
	switch {
	case m.over, !k.read:
		return never
	case k.present && k.version.Compare(k.floor) < 0:
		return never // a token now would be lower than one already given out (I6)
	case m.resumable(): // also by a process that ends, or an unhealthy one, which then hand it over
		return max(k.seenAt, k.tryAt)
	case m.leaving:
		return never
	case m.unhealthy && k.present && !m.cfg.LeadUnhealthy:
		return never
	case m.unhealthy && k.present:
		return max(k.readyAt.Add(m.cfg.Duration), k.tryAt)
	case m.ending.abandoned && k.present && k.record.Holder == string(m.cfg.Identity):
		return max(k.readyAt.Add(m.cfg.Duration), k.tryAt) // its workload may still run: the others go first
	case m.regainable():
		return max(k.seenAt, k.tryAt)
	}
	return max(k.readyAt, k.tryAt)
}

// creation returns the Lease as a candidate creates it: never with a holder, as a create that is applied late would be a
// term that its sender has long given up (I4).
func (m *machine) creation() lease.Record {
	return lease.Record{DurationSeconds: int32(m.cfg.Duration / time.Second), Workload: m.cfg.Workload}
}

// takeover returns the write by which a standby begins a term.
func (m *machine) takeover(now moment) lease.Record {
	attrs := []slog.Attr{detail(m.whyNow()), slog.String("version", string(m.know.version))}
	if late := now.boot.Sub(max(m.know.notBefore, m.know.readyAt)); late > worthLogging {
		attrs = append(attrs, span("late", late)) // it was free, and this candidate could not or did not know
	}
	m.info("TakingLease", "taking the Lease", attrs...)
	unanswered := m.resumable() || m.regainable() // a wish on this replica's own term: it leads again, and then hands over
	m.resuming, m.lapse.over = m.resumable(), false
	if !m.resuming { // a new term: what was ordered of the last one is done with
		m.ending = ending{}
	}
	t := m.fresh(now)
	m.term = term{acquired: t, transitions: m.know.record.NextTransitions()}
	r := m.mine(t)
	if !unanswered || r.PreferredHolder == r.Holder {
		r.PreferredHolder = ""
	}
	m.noteSent(now, t)
	return r
}

func (m *machine) whyNow() string {
	switch {
	case m.resumable():
		return "resuming the term of the process before"
	case m.know.record.Released():
		return "the last holder released it"
	case m.regainable():
		return "this replica's own term expired, and nobody has taken it since"
	}
	return "nobody has written it for its whole duration"
}

// explain logs why the candidate waits, once for every kind of reason.
func (m *machine) explain(now moment) {
	if m.role != standby || m.terminating || m.over {
		return
	}
	situation := m.describe()
	if situation == m.know.situation {
		return
	}
	why, text, attrs := reason("StandingBy"), "standing by", []slog.Attr{detail(situation)}
	switch at := m.takeAt(); {
	case !now.boot.Before(at):
		return // it does not wait: the record of its take says why
	case at != never:
		wait := at.Sub(now.boot)
		attrs = append(attrs, span("wait", wait))
		if m.know.unheld() { // so nobody can lead before then: a first run must not look as if it hung
			why, text = "WaitingForExpiry", "waiting until the Lease is free"
			attrs = append(attrs, slog.String("until", now.wall.Add(wait).UTC().Format("2006-01-02T15:04:05.000Z07:00")))
		}
	}
	m.know.situation = situation
	m.info(why, text, attrs...)
}

func (m *machine) describe() string {
	r := m.know.record
	switch {
	case m.leaving && !m.resumable():
		return "this replica's pod is about to end: it takes the Lease no more"
	case !m.know.present:
		return "the Lease does not exist: it is created without a holder, and led one lease duration later"
	case m.know.version.Compare(m.know.floor) < 0:
		return "the store's versions are older than one already seen: it was restored, and nobody campaigns here until they have passed that"
	case m.resumable():
		return "the Lease is still held by the process before in this pod"
	case r.Released():
		return "the last holder released the Lease"
	case r.Holder == string(m.cfg.Identity) && m.ending.abandoned:
		return "this replica abandoned its handover, and its workload may still run: the others go first"
	case r.Holder == string(m.cfg.Identity) && m.twins.wrote(r.RenewTime.UnixMicro()):
		return "the Lease was held by this replica, whose term has ended without a release"
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

// spread returns how long to wait beyond the first permitted instant, so that of N candidates that become free to
// try at once only a few do: with 500, about five. It is max(0, 40 ms · (1 + ln u / ln 500)) for u in (0, 1): most
// draws are near 40 ms, a rare few near 0, and with more candidates the earliest of them comes earlier. Source:
// simulated at 3, 10, 50 and 500 candidates; doubling and halving a spread instead does not converge.
func spread(u float64) time.Duration {
	const most, candidates = 40 * time.Millisecond, 500
	if u <= 0 {
		return 0
	}
	return max(0, time.Duration(float64(most)*(1+math.Log(u)/math.Log(candidates))))
}

// turn returns how long to wait after a release: nothing for one half of the candidates, releaseSpread/2 for a quarter, and
// releaseSpread for the rest. Half of that is about as long as a take needs until the others see it, so that two candidates in
// different turns do not race.
func turn(u float64) time.Duration {
	switch {
	case u < 0.5:
		return 0
	case u < 0.75:
		return releaseSpread / 2
	}
	return releaseSpread
}
