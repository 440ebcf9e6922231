package elector

import (
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// stepDown takes an order to hand over. One that comes while a predecessor's term is being resumed ends that term.
func (m *machine) stepDown(now moment, cause string) error {
	switch {
	case m.role == leading:
		m.drain(now, cause)
	case m.role == drainingRole:
		return ErrDraining
	case m.inherited != nil || m.resuming:
		m.term.order = cause
		m.note(slog.LevelInfo, "asked to hand over the term of the process before: it is resumed for that alone", slog.String("cause", cause))
	default:
		return ErrNotLeading
	}
	return nil
}

// drain begins a handover: the workload is told to stop, and the Lease is kept until it has. A candidate that
// drains does not lead again (I10). Where nobody has been told of the term, nor of the one that it follows, since the
// workload was last seen to have stopped, nothing has to stop.
func (m *machine) drain(now moment, cause string) {
	m.role = drainingRole
	m.term.order, m.term.drainBegan = cause, now.boot
	m.term.settled = false
	if m.term.told == 0 {
		m.note(slog.LevelInfo, "handing over: the workload was told nothing", slog.String("cause", cause))
		m.settle(now)
		return
	}
	m.note(slog.LevelInfo, "handing over: waiting for the workload to stop", slog.String("cause", cause))
	m.ask()
}

// ask wants to know when the workload has stopped, in place of what was asked before.
func (m *machine) ask() {
	m.term.drain++
	m.out.drain = &draining{number: m.term.drain, Drain: Drain{
		Cause: m.term.order, Terminating: m.terminating, Began: m.term.drainBegan, Until: m.term.told, Token: m.term.toldToken,
	}}
}

// settle takes the news that the workload has stopped: what follows is a read, as only a record just read may be
// blanked (I5).
func (m *machine) settle(now moment) {
	m.term.settled, m.term.settledAt = true, now.boot
	m.term.told = 0
	m.getDue, m.effort.nextTry = true, 0
	m.out.settled = true
}

// release returns the write that clears the holder. It comes after a read that showed the record as ours, of the very
// version that it replaces: any other holder would have ended the drain. Release last: a standby may start the instant the
// holder clears (I5).
func (m *machine) release(now moment) *request {
	clear(m.sent) // a renewal still on its way must not count after the blank
	t := m.fresh(now)
	m.twins.sent(t)
	r := m.mine(t)
	r.Holder, r.DurationSeconds, r.Mark = "", 1, lease.ReleasedMark(t)
	m.term.released, m.term.cooldownUntil = t, now.boot.Add(releaseCooldown)
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
			m.ask() // again, as a process that ends may be waited for in another way
		}
	case standby:
	}
}

// abandon gives up waiting for a workload that has not been seen to stop. The Lease is neither released nor renewed: it
// runs out, so that the next leader starts when this one's workload can no longer believe. A release under way goes on.
func (m *machine) abandon(now moment, drain int) {
	if m.role != drainingRole || m.term.settled || drain != 0 && drain != m.term.drain {
		return
	}
	m.term.abandoned = true
	m.out.abandoned = true
	m.stop(now, "DrainAbandoned", "the handover was abandoned before the workload was seen to stop")
	m.note(slog.LevelWarn, "the Lease is neither released nor renewed: the workload may still run when it has run out and the next leader starts",
		reason("DrainAbandoned"), slog.String("cause", m.term.order), slog.String("drained_for", now.boot.Sub(m.term.drainBegan).Round(time.Millisecond).String()),
		slog.String("lease_runs_out_in", m.know.notBefore.Sub(now.boot).Round(time.Millisecond).String()))
}

// yieldToPreferred hands over when somebody asked, in the Lease itself, for another holder.
func (m *machine) yieldToPreferred(now moment) {
	if p := m.know.record.PreferredHolder; m.role == leading && p != "" && p != string(m.cfg.Identity) {
		m.drain(now, "the Lease asks for "+p+" as its holder")
	}
}
