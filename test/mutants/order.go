package main

// What the simulation found: the order in which waiting events are taken, and rules of the workload's side.
var order = []mutant{
	{
		name:   "of an event and a timer that both wait, a coin decides",
		danger: "one seed of the simulation is no longer one history, and after a pause a candidate acts on time alone before it takes the news that wait",
		file:   "pkg/elector/receive.go",
		old:    "\tselect {\n\tcase e := <-l.events:\n\t\treturn input{event: e}\n\tdefault:\n\t}\n",
		new:    "",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "an order waits behind what has happened, by a coin",
		danger: "one seed of the simulation is no longer one history",
		file:   "pkg/elector/receive.go",
		old:    "\tselect {\n\tcase o := <-l.e.orders.asked:\n\t\treturn input{event: o.event, answer: o.answer}\n\tdefault:\n\t}\n",
		new:    "",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "news and a timer that both wait are taken by a coin",
		danger: "one seed of the simulation is no longer one history",
		file:   "pkg/elector/receive.go",
		old:    "\tselect {\n\tcase <-l.e.orders.news:\n\t\treturn input{}\n\tdefault:\n\t}\n",
		new:    "",
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
		name:   "an inherited term is told at once",
		danger: "I14: two are told that they lead, where the hold says more than the Lease does",
		file:   "pkg/elector/machine.go",
		old:    "\tif l := m.level(now); m.inherited == nil && differs(l, m.published) {\n",
		new: "\tl := m.level(now)\n\tif h := m.inherited; h != nil && !m.know.read {\n" +
			"\t\tl.IsLeader, l.Token, l.ValidUntil, l.Since, l.Leader = true, h.Token, h.ValidUntil, h.Since, m.cfg.Identity.Name()\n\t}\n" +
			"\tif (m.inherited == nil || l.IsLeader) && differs(l, m.published) {\n",
		reds: in(elector, "TestNothingInheritedIsPublishedBeforeARead"),
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
