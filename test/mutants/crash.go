package main

// What a process leaves behind that crashes.
var crashes = []mutant{
	{
		name:   "a process that has just been told that it leads is looked at as seldom as an idle one",
		danger: "I13: workers that it starts at once are not known for its own when it crashes, and the Lease is released under their work",
		file:   "pkg/signals/process/look_linux.go",
		old:    "return !p.gained.IsZero() && now.Before(p.gained.Add(soonFor))",
		new:    "return false",
		reds:   in("pkg/signals/process", "TestWorkersOfACrashRun"),
	},
	{
		name:   "what an ended process has left behind may be a standby's",
		danger: "I13: it counts as stopped at validUntil although it is seen to work",
		file:   "pkg/signals/process/sight_linux.go",
		old:    " || p.headless()):",
		new:    "):",
		reds:   in("pkg/signals/process", "TestWorkersOfACrashRun"),
	},
}
