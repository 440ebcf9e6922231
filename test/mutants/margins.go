package main

const elector = "pkg/elector"

// The margins of a term, and the clock that it is counted on.
var margins = []mutant{
	{
		name:   "a renewal carries the term for the whole lease duration",
		danger: "I2, the margin: the old leader may believe until the next one starts, and its workload works beyond that",
		file:   "pkg/elector/observe.go",
		old:    `sentAt.Add(m.cfg.RenewDeadline)`,
		new:    `sentAt.Add(m.cfg.Duration)`,
		reds:   in(elector, "TestPartitionedLeaderStopsBeforeAnotherStarts", "TestTranscripts/renewals"),
	},
	{
		name:   "timings without a margin are accepted",
		danger: "I11: with V + K near D, clocks that differ by 1% let two workloads overlap",
		file:   "pkg/elector/config.go",
		old:    `max(c.Duration*3/4, c.Duration*9/10-maxKillMargin)`,
		new:    `c.Duration - 1`,
		reds:   in(elector, "TestValidateReportsEveryFault", "TestTheBoundOfTheDeadlineIsThePrintedOne"),
	},
	{
		name:   "the kill margin is the whole rest of the lease duration",
		danger: "I11: a workload that is killed at the last moment still works when the next leader starts",
		file:   "pkg/elector/config.go",
		old:    `min(maxKillMargin, (c.Duration-c.RenewDeadline)*6/10)`,
		new:    `c.Duration - c.RenewDeadline`,
		reds:   in(elector, "TestDefaultTimings"),
	},
	{
		name:   "a renewal counts from its receipt",
		danger: "I2: a late reply moves the end of the term past what the other candidates wait for",
		file:   "pkg/elector/observe.go",
		old:    `until := sentAt.Add(`,
		new:    `until := max(sentAt, now.boot).Add(`,
		reds:   in(elector, "TestTranscripts/renewals"),
	},
	{
		name:   "the deadline is not looked at while a request is under way",
		danger: "I7: a network call stands between the deadline and the stop",
		file:   "pkg/elector/machine.go",
		old:    "\tm.climb(now, deadlines) // before",
		new:    "\tif m.inflight == nil {\n\t\tm.climb(now, deadlines)\n\t} // before",
		reds:   in(elector, "TestTranscripts/late_term_drains"),
	},
	{
		name:   "the deadline is looked at last",
		danger: "I1: an event finds a term alive that has run out, and a late reply revives it under its old token",
		file:   "pkg/elector/machine.go",
		old:    "\tm.climb(now, deadlines) // before",
		new:    "\tdefer m.climb(now, deadlines) // before",
		reds:   in(elector, "TestTranscripts/ordered_term"),
	},
	{
		name:   "a term is published beyond its end",
		danger: "I1: a stuck election answers that it leads",
		file:   "pkg/elector/elector.go",
		old:    `return e.snapshot.Load().At(e.deps.Clock.Now())`,
		new:    `return *e.snapshot.Load()`,
		reds:   in(elector, "TestStuckLoopNeverSaysLeader"),
	},
	{
		name:   "a request may wait beyond the term",
		danger: "I7: the one request in flight keeps a candidate busy after its term",
		file:   "pkg/elector/effort.go",
		old:    `d = min(d, m.term.validUntil.Sub(now.boot))`,
		new:    `d = max(d, m.term.validUntil.Sub(now.boot))`,
		reds:   in(elector, "TestTranscripts/renewals"),
	},
	{
		name:   "two requests in one second bear one renew time",
		danger: "electors that compare by the second, and a store that writes nothing new, do not see the second renewal",
		file:   "pkg/elector/term.go",
		old:    `t.Before(next)`,
		new:    `next.IsZero()`,
		reds:   in(elector, "TestRenewTimesOfAFrozenClock"),
	},
	{
		name:   "renew times are whole seconds",
		danger: "I2, I12: another process's write of the same second counts as ours",
		file:   "pkg/elector/term.go",
		old:    `between(0, time.Second, m.rand()).Truncate(time.Microsecond)`,
		new:    `between(0, time.Second, 0*m.rand()).Truncate(time.Microsecond)`,
		reds:   in(elector, "TestRenewTimesOfAFrozenClock"),
	},
}
