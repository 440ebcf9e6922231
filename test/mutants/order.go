package main

// In which order what waits is taken.
var order = []mutant{
	{
		name:   "of an event and a timer that both wait, a coin decides",
		danger: "one seed of the simulation is no longer one history, and after a pause a candidate acts on time alone before it takes the news that wait",
		file:   "pkg/elector/loop.go",
		old:    "\tselect {\n\tcase e := <-l.events:\n\t\treturn input{event: e}\n\tdefault:\n\t}\n",
		new:    "",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "an order waits behind what has happened, by a coin",
		danger: "one seed of the simulation is no longer one history",
		file:   "pkg/elector/loop.go",
		old:    "\tselect {\n\tcase o := <-l.e.orders.asked:\n\t\treturn input{event: o.event, answer: o.answer}\n\tdefault:\n\t}\n",
		new:    "",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
	{
		name:   "news and a timer that both wait are taken by a coin",
		danger: "one seed of the simulation is no longer one history",
		file:   "pkg/elector/loop.go",
		old:    "\tselect {\n\tcase <-l.e.orders.news:\n\t\treturn input{}\n\tdefault:\n\t}\n",
		new:    "",
		reds:   in(elector, "TestEventsThatWaitHaveOneOrder"),
	},
}
