package elector

import (
	"math"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const never = bootclock.Instant(math.MaxInt64)

// rung is one thing that becomes due: at says when, and do does it. An instant that has passed, also zero, is now; [never]
// means that neither time nor what has just happened calls for it.
//
// Both the step and its timer ask the same at, so that the loop sleeps until exactly the next thing that a step would do.
// A rung that was done must not be due at the same instant again.
type rung struct {
	at func(*machine, moment) bootclock.Instant
	do func(*machine, moment)
}

// deadlines come before the event of a step.
var deadlines = []rung{
	{(*machine).termEnds, (*machine).endTerm},
	{(*machine).inheritedEnds, (*machine).endInherited},
}

// chores come after it, losses first: the hold before the leadership that rests on it.
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
