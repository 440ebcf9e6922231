package main

// What the simulation found: the order in which waiting events are taken, and rules of the workload's side.
var order = []mutant{
	{
		name:   "of an event and a timer that both wait, a coin decides",
		danger: "one seed of the simulation is no longer one history, and after a pause a candidate acts on time alone before it takes the news that wait",
		file:   "pkg/elector/loop.go",
		old:    "\t\tselect {\n\t\tcase e := <-l.events:\n\t\t\treturn e\n\t\tdefault:\n\t\t}\n",
		new:    "",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "an order waits behind what has happened",
		danger: "one seed of the simulation is no longer one history",
		file:   "pkg/elector/loop.go",
		old:    "if l.order = c.stepDown.take(); l.order != nil {",
		new:    "if len(l.events) > 0 {\n\t\treturn nil\n\t}\n\tif l.order = c.stepDown.take(); l.order != nil {",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "the end of the process waits behind what abandons its handover",
		danger: "a second SIGTERM at once is lost: the handover that it was to abandon has not begun",
		file:   "pkg/elector/loop.go",
		old:    "if ctx.Err() != nil && !l.terminated {",
		new:    "if ctx.Err() != nil && !l.terminated && !c.abandon.Load() {",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "a workload that is seen to run is not waited for",
		danger: "I13: the Lease is released under living work, as soon as anything else says that it has stopped, or at validUntil",
		file:   "internal/stopwait/verdict.go",
		old:    "if len(s.running) > 0 {",
		new:    "if len(s.running) > 1000 {",
		reds:   in("internal/stopwait", "TestRule"),
	},
	{
		name:   "what is seen no more was killed by validUntil",
		danger: "I13: in a planned stop it has until the stop timeout",
		file:   "internal/stopwait/verdict.go",
		old:    "\treturn w.fenced\n",
		new:    "\treturn s.killable\n",
		reds:   in("internal/stopwait", "TestRule/nobody_sees_it_any_more,_and_something_kills", "TestBlindInTheDrainThatFollows"),
	},
	{
		name:   "an inherited term is published at once",
		danger: "I14: two are published as leaders, where the hold says more than the Lease does",
		file:   "pkg/elector/leadership.go",
		old:    "\tcase m.inherited != nil:\n\t\treturn never\n",
		new:    "\tcase m.inherited != nil && m.published.Token == \"\":\n\t\th := m.inherited\n\t\tm.role, m.term = leading, term{validUntil: h.ValidUntil, renewAt: never, token: m.know.floor, since: h.Since}\n\t\treturn now.boot\n",
		reds:   in(elector, "TestNothingInheritedIsPublishedBeforeARead"),
	},
	{
		name:   "a read that shows what the watch missed is no reason to doubt it",
		danger: "a standby whose watch is dead sends a take that fails, and a read, in every lease duration, and sees no release",
		file:   "pkg/elector/watching.go",
		old:    "\t\tw.doubted, w.interval = true, 0\n",
		new:    "\t\tgap := min(now.boot.Sub(m.know.seenAt), m.cfg.Duration/2)\n\t\tw.interval = max(gap, (w.interval+gap)/2)\n",
		reds:   in(elector, "TestDeadWatchIsFoundOut"),
	},
}
