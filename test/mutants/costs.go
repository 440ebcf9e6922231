package main

// What a candidate may cost: how long its requests may take, how often it asks, and what it says of its rights.
var costs = []mutant{
	{
		name:   "a write that was too slow gets no longer the next time",
		danger: "an admission webhook that is out costs the lead for as long as it is",
		file:   "pkg/elector/effort.go",
		old:    "*limit = min(2*now, most)",
		new:    "*limit = min(now, most)",
		reds:   in(elector, "TestTranscripts/slow_writes"),
	},
	{
		name:   "an answer takes back all that was learned",
		danger: "writes of 4 s are given up every other time",
		file:   "pkg/elector/effort.go",
		old:    "*limit = min(now, max(2*took, now/2))",
		new:    "*limit = 0 * took",
		reds:   in(elector, "TestTranscripts/slow_writes"),
	},
	{
		name:   "a standby's pauses do not grow",
		danger: "an election that cannot have a leader costs the API server a request every few seconds, for each candidate",
		file:   "pkg/elector/effort.go",
		old:    "s.count > 0 && age > quickFor",
		new:    "s.count < 0 && age > quickFor",
		reds:   in(elector, "TestElectionWithoutALeaderCostsLittle/writes_fail", "TestElectionWithoutALeaderCostsLittle/the_API_refuses_connections"),
	},
	{
		name:   "what was refused is tried again all the time",
		danger: "the same, where a right is missing",
		file:   "pkg/elector/effort.go",
		old:    "return min(base, max(mostForbidden, m.cfg.Duration/3))",
		new:    "return min(base, max(mostForbidden, m.cfg.Duration/3), 5*time.Second)",
		reds:   in(elector, "TestElectionWithoutALeaderCostsLittle/writes_forbidden", "TestElectionWithoutALeaderCostsLittle/no_Lease,_and_no_right_to_create_one"),
	},
	{
		name:   "a watch is suspected as often as ever while nobody renews",
		danger: "the same, where all are unhealthy",
		file:   "pkg/elector/watching.go",
		old:    "max(least, m.watch.heardAt.Sub(m.know.seenAt))",
		new:    "max(least, 0*m.watch.heardAt.Sub(m.know.seenAt))",
		reds:   in(elector, "TestElectionWithoutALeaderCostsLittle/all_unhealthy"),
	},
	{
		name:   "a standby takes its own renew interval for the holder's",
		danger: "a leader that renews every 5 s among standbys that would every second costs 4.6 requests a second",
		file:   "pkg/elector/watching.go",
		old:    "if m.watch.interval > 0 && m.know",
		new:    "if m.watch.interval < 0 && m.know",
		reds:   in(elector, "TestStandbysLearnHowOftenTheHolderRenews"),
	},
	{
		name:   "a watch that cannot be opened is tried on without a read",
		danger: "with the API away, every candidate asks for its watch as well",
		file:   "pkg/elector/watching.go",
		old:    "\t\tw.blocked = w.openedAt.IsZero() && !w.afresh\n",
		new:    "\t\tw.blocked = w.openedAt.IsZero() && w.afresh\n",
		reds:   in(elector, "TestTranscripts/api_away"),
	},
	{
		name:   "a candidate without the rights says that it is ready",
		danger: "a rollout goes on with replicas that can never lead",
		file:   "pkg/elector/rights.go",
		old:    "\tcase names != \"\":\n",
		new:    "\tcase names != \"\" && !m.know.read:\n",
		reds:   in(elector, "TestReady/updates_forbidden"),
	},
}
