package elector

import (
	"math"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const never = bootclock.Instant(math.MaxInt64)

// rung is one thing that becomes due: at returns when, and do does it. An instant that has passed, also zero, is now; [never]
// means that nothing calls for it. Both the step and its timer ask at, so that the loop sleeps until exactly the next thing to
// do. A rung that was done must not be due at the same instant again.
type rung struct {
	at func(*machine, moment) bootclock.Instant
	do func(*machine, moment)
}

// deadlines come before the event of a step.
var deadlines = []rung{
	{(*machine).termEnds, (*machine).endTerm},
	{(*machine).inheritedEnds, (*machine).endInherited},
}

// chores come after it. The hold comes before the leadership: a process that dies between the two must not leave a hold that
// says less than its workload has been shown.
var chores = []rung{
	{(*machine).watchDue, (*machine).checkWatch},
	{(*machine).requestDue, (*machine).sendRequest},
	{(*machine).holdDue, (*machine).writeHold},
	{(*machine).leadershipDue, (*machine).publish},
	{(*machine).reminderDue, (*machine).remind},
}

// climb does what is due, each rung once.
func (m *machine) climb(now moment, ladder []rung) {
	for _, r := range ladder {
		if !now.boot.Before(r.at(m, now)) {
			r.do(m, now)
		}
	}
}

// wake returns the next instant at which time alone makes something due; zero where nothing does.
func (m *machine) wake(now moment) bootclock.Instant {
	at := never
	for _, ladder := range [][]rung{deadlines, chores} {
		for _, r := range ladder {
			at = min(at, r.at(m, now))
		}
	}
	if at == never {
		return 0
	}
	return max(at, now.boot+1)
}

// driftTolerance is how far the two clocks may move apart before the boot clock is suspected of having stood still.
const driftTolerance = 2 * time.Second

// drift watches for pauses that the boot clock does not show, as when a virtual machine stops with all its clocks: the wall
// clock is set after one. Every step compares the clocks, and a leader steps at least once in a renew interval. A renewal that
// succeeds proves that nobody has taken the Lease. The store's own date proves nothing: servers behind one address may differ.
type drift struct {
	set    bool
	offset time.Duration // wall clock − boot clock
}

// checkClocks has a term renewed at once when the clocks have moved apart since the last look.
func (m *machine) checkClocks(now moment) {
	last := m.drift
	m.drift = drift{set: true, offset: time.Duration(now.wall.UnixNano()) - time.Duration(now.boot)}
	if last.set && (m.drift.offset-last.offset).Abs() > driftTolerance && m.role != standby {
		m.term.renewAt = now.boot
		m.warn("ClocksMovedApart", "wall clock and boot clock moved apart: renewing to see whether this machine was paused")
	}
}
