package main

// Who should lead next: a name decides who goes first, and never who may.
var successions = []mutant{
	{
		name:   "a named successor takes a Lease that nobody released",
		danger: "I16: whoever may edit the Lease makes two lead",
		file:   "pkg/lease/mark.go",
		old:    `if i < 0 || !r.Released() || r.Successor`,
		new:    `if i < 0 || r.Successor`,
		reds:   in(elector, "TestTranscripts/successor_forged"),
	},
	{
		name:   "the name in an earlier release counts",
		danger: "the successor of a term long over takes before the one that this release names",
		file:   "pkg/lease/mark.go",
		old:    ` || r.Successor != SuccessorMark(r.Successor[:i], r.RenewTime) {`,
		new:    ` {`,
		reds:   in(elector, "TestTranscripts/successor_forged"),
	},
	{
		name:   "others do not wait for the successor",
		danger: "every handover of a large fleet is a race",
		file:   "pkg/elector/succession.go",
		old:    `return max(wait, successorGrace), false`,
		new:    `return wait, false`,
		reds:   in(elector, "TestTranscripts/successor_other"),
	},
	{
		name:   "a candidate follows itself where a hand writes so",
		danger: "a replica that was asked to step down leads again at once",
		file:   "pkg/elector/succession.go",
		old:    `return wait, !r.RenewTime.Equal(m.cooldown.release)`,
		new:    `return wait, true`,
		reds:   in(elector, "TestTranscripts/successor_self"),
	},
	{
		name:   "an outgoing revision does not stand back",
		danger: "a rollout moves leadership to a pod that is deleted next",
		file:   "pkg/elector/succession.go",
		old:    `wait = standBackGrace`,
		new:    `wait = 0`,
		reds:   in(elector, "TestTranscripts/stand_back"),
	},
	{
		name:   "the answer to a wish removes another one",
		danger: "an administrator's newest request is lost",
		file:   "pkg/elector/succession.go",
		old:    `s.answer != "" && r.Wish == s.answered {`,
		new:    `s.answer != "" {`,
		reds:   in(elector, "TestTranscripts/wish_overtaken"),
	},
	{
		name:   "a wish is answered before the Lease is released",
		danger: "the Lease says that leadership has moved, though the handover was abandoned",
		file:   "pkg/elector/succession.go",
		old:    "\tif s.granted == \"\" {\n",
		new:    "\t{\n",
		reds:   in(elector, "TestTranscripts/wish_abandoned"),
	},
	{
		name:   "an answer to a wish that was taken back is obeyed",
		danger: "leadership moves though nobody asks for it any more",
		file:   "pkg/elector/succession.go",
		old:    ` || a.Pod != s.asked || a.Pod != m.know.record.Wish {`,
		new:    ` {`,
		reds:   in(elector, "TestTranscripts/wish_refused"),
	},
}
