package elector

import (
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// drain is a handover that is under way: the workload is to stop, and the Lease is kept until it has.
type drain struct {
	began           bootclock.Instant
	workloadStopped bool
	stoppedAt       bootclock.Instant
	read            lease.Version // that a read from after the stop has shown; "" where none has
}

// ending is how a term was asked to end. It outlives the term, which then does not lead again, whatever is answered late. It
// ends with a new take of ours, but not with one that resumes a predecessor's term.
type ending struct {
	cause     string // "": nobody asked
	abandoned bool   // its drain was abandoned: it is neither released nor renewed, and never begins again
}

// workload is what the workload may still act on: the last validUntil published while leading, by this process or the one
// before, and that term's token. It ends only when the workload is seen to have stopped. Zero: nothing was published since.
type workload struct {
	until bootclock.Instant
	token string
}

// stepDown takes an order to hand over. One that comes while a predecessor's term is being resumed ends that term.
func (m *machine) stepDown(now moment, cause string) error {
	switch {
	case m.role == leading:
		m.beginDrain(now, cause)
	case m.role == draining:
		return ErrDraining
	case m.inherited != nil || m.resuming:
		m.ending.cause = cause
		m.info("HandingOver", "asked to hand over the term of the process before: it is resumed for that alone", slog.String("cause", cause))
	default:
		return ErrNotLeading
	}
	return nil
}

// judge takes the workload's health. An unhealthy leader hands over; an unhealthy standby leaves the Lease to others.
func (m *machine) judge(now moment, e health) {
	if m.unhealthy == !e.healthy {
		return
	}
	m.unhealthy = !e.healthy
	if e.healthy {
		m.info("Healthy", "the workload is healthy: this replica may lead", detail(e.why))
		return
	}
	m.warn("Unhealthy", "the workload is unhealthy: this replica leaves leadership to others", detail(e.why))
	switch { // also with LeadUnhealthy: another replica may be healthy
	case m.role == leading:
		m.beginDrain(now, "unhealthy: "+e.why)
	case m.inherited != nil || m.resuming: // it is resumed only to be handed over
		m.ending.cause = "unhealthy: " + e.why
	}
}

// beginDrain begins a handover. A candidate that drains does not lead again (I10). Where no leadership has been published
// since the workload was last seen to have stopped, there is nothing to wait for.
func (m *machine) beginDrain(now moment, cause string) {
	m.role = draining
	m.ending.cause = cause
	m.drain = drain{began: now.boot}
	if m.workload.until == 0 {
		m.info("HandingOver", "handing over: no workload was started for this term", slog.String("cause", cause))
		m.noteWorkloadStopped(now)
		return
	}
	m.info("HandingOver", "handing over: waiting for the workload to stop", slog.String("cause", cause))
	m.askStopWait()
}

// askStopWait asks when the workload has stopped, in place of what was asked before.
func (m *machine) askStopWait() {
	m.out.stopWait = &stopWait{m.waits.ask(), Drain{
		Cause: m.ending.cause, Terminating: m.terminating, Began: m.drain.began, Until: m.workload.until, Token: m.workload.token,
	}}
}

func (m *machine) stopWaitEnded(now moment, o Outcome) {
	m.waits.answered()
	if o != WorkloadStopped { // any other outcome counts as Abandoned
		m.abandonDrain(now)
		return
	}
	m.noteWorkloadStopped(now)
}

// noteWorkloadStopped has the Lease released next.
func (m *machine) noteWorkloadStopped(now moment) {
	m.drain.workloadStopped, m.drain.stoppedAt = true, now.boot
	m.workload = workload{}
	m.effort.nextTry = 0
}

// releasable reports whether the record known may be released (I5): a read from after the workload's stop has shown it, or it is
// this candidate's own last write and no request since has failed. That needs no read: the release is conditional on the record's
// version, so it is carried out only where nobody has written since, which no read before it could prove.
func (m *machine) releasable(now moment) bool {
	return m.drain.read == m.know.version || len(m.effort.failures) == 0 && m.asWritten(now, m.know.record)
}

func (m *machine) endStopWait() {
	m.out.endStopWait = m.waits.open
	m.waits.withdraw()
}

// release returns the write that clears the holder of a record that is [machine.releasable]. Release last: a standby may start the
// instant the holder clears (I5).
func (m *machine) release(now moment) lease.Record {
	m.drain.read = "" // for another attempt, another read

	clear(m.sent) // a renewal still on its way must not count after the release
	t := m.fresh(now)
	m.twins.sent(t)
	r := m.mine(t)
	r.Holder, r.DurationSeconds, r.Mark = "", 1, lease.ReleasedMark(t)
	r = m.succession.withSuccessor(r, t)
	m.cooldown = cooldown{release: t, until: now.boot.Add(releaseCooldown)}
	return r
}

// terminate begins the end of the process: a leader hands over first, a standby takes nothing more.
func (m *machine) terminate(now moment) {
	if m.terminating {
		return
	}
	m.terminating = true
	switch { // a term that was inherited is handed over once it has been resumed
	case m.role == leading:
		m.beginDrain(now, "terminating")
	case m.role == draining && !m.drain.workloadStopped:
		m.askStopWait() // again, as a process that ends may be waited for in another way
	}
}

// leave takes the news that the pod is about to end: a standby campaigns no more. A leader leads on, as its workload may work
// until the end, and the Lease must be held for as long.
func (m *machine) leave() {
	if m.leaving {
		return
	}
	m.leaving = true
	m.info("Leaving", "the pod is about to end: this replica takes the Lease no more")
}

// terminated reports whether a process that is to end may do so: nothing is held, and no request under way could change that.
func (m *machine) terminated() bool {
	return m.terminating && m.role == standby && !m.taking && m.inherited == nil
}

// abandonDrain gives up waiting for a workload that has not been seen to stop. The Lease is neither released nor renewed:
// it runs out, so that the next leader starts when this one's workload can no longer believe. A release under way goes on.
func (m *machine) abandonDrain(now moment) {
	if m.role != draining || m.drain.workloadStopped {
		return
	}
	m.ending.abandoned = true
	m.out.abandoned = true
	waited := span("drained_for", now.boot.Sub(m.drain.began))
	m.becomeStandby(drainAbandoned, "the handover was abandoned before the workload was seen to stop")
	m.warn("LeaseRunsOut", "the Lease is neither released nor renewed: the workload may still run when it has expired and the next leader starts",
		slog.String("cause", m.ending.cause), waited, span("lease_runs_out_in", m.know.notBefore.Sub(now.boot)))
}
