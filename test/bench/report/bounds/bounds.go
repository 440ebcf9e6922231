package bounds

import (
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// ratio is a bound of a median, as a part or a multiple of another subject's median.
func ratio(figure, text string, of result.Subject, factor float64, against result.Subject, least int, why string) Bound {
	return Bound{Figure: figure, Least: least, Why: why, Limit: catalog.Limit{Text: text, Of: of, Share: .5, Factor: factor, Against: against}}
}

// budget is a bound of a statistic that holds on any machine.
func budget(figure, text string, of result.Subject, share, most float64, least int, why string) Bound {
	return Bound{Figure: figure, Least: least, Why: why, Limit: catalog.Limit{Text: text, Of: of, Share: share, Max: most}}
}

// All returns the bounds. Each holds for the short form of the benchmarks, too, and breaks in fewer than one of 1,000 runs while nothing
// is wrong, on a busy machine too. The factors and the numbers of samples come from that: a standby of client-go's elector polls after 1
// to 2.2 retry periods, at random, so the first of two comes within 240 ms in one of seven handovers. The median of 20 handovers is
// below 240 ms in one of 5,000 runs, that of two handovers in every fourth. What a median of one or two samples decides has a wide margin, or
// counts events instead of time. TestRecorded has the results of runs in which the product was broken, and says which bounds show it.
func All() []Bound {
	const sidecar, clientGo, short, tuned = result.Sidecar, result.ClientGo, result.Short, result.Tuned
	floor := ratio("handover/total", "p50 at most 12 times the floor", sidecar, 12, result.Floor, 20,
		"2.6 times the floor is measured, and 6 times where 60 other processes compete for one core: more processes take part than in the floor")
	floor.Beside = "handover/floor"
	all := []Bound{
		ratio("handover/total", "p50 at most 1/3 of client-go's", sidecar, 1.0/3, clientGo, 20,
			"a standby watches, one of client-go's polls every 2 s: 1/75 is measured, and 1/11 on a busy machine"),
		floor,
		ratio("takeover/past-expiry", "p50 at most 1/4 of client-go's", sidecar, 1.0/4, clientGo, 12,
			"a standby has a timer, one of client-go's polls every 2 s: 1/55 is measured, and 1/17 on a busy machine"),
		budget("requests/fleet", "at most 0.45 a second", sidecar, 1, .45, 1,
			"the leader renews every 3 s, and standbys send nothing, whatever the size; 9 s have three renewals, or four"),
		budget("idle/working-set", "at most 8 MiB", sidecar, .5, 8, 2, "the budget of a leader in a pod"),
		budget("idle/working-set-standby", "at most 8 MiB", sidecar, .5, 8, 2, "the budget of a standby in a pod"),
		ratio("idle/private", "at most 2 times client-go's", sidecar, 2, clientGo, 2,
			"0.9 of it is measured over 5 minutes, and 1 to 1.15 times in the first seconds, in which one heap may have grown and the other not"),
		ratio("idle/cpu", "at most 3 times client-go's", sidecar, 3, clientGo, 1, "0.6 to 1.4 times is measured in a dozen short runs, which have four renewals each"),
		ratio("idle/wakeups", "at most 1.5 times client-go's", sidecar, 1.5, clientGo, 1, "0.1 to 0.6 times is measured: it waits for events and for timers, and polls nothing"),
		budget("binary", "at most 21 MB (20.03 MiB)", sidecar, 1, 20.03, 1, "the budget of the binary"),
		ratio("scale/500/idle/requests", "at most 1/3 of client-go's", short, 1.0/3, tuned, 1,
			"standbys send nothing; the share falls with the number of candidates, and is 1/7 for 10"),
		budget("scale/500/successor/conflicts", "p50 at most 1", short, .5, 1, 5,
			"only the named successor writes, unless a busy machine keeps it from that for 50 ms; without a name most of 10 candidates write"),
		ratio("scale/elections/requests", "at most 1/2 of client-go's", sidecar, .5, clientGo, 1, "one renewal in 3 s, beside two or three requests of each candidate of client-go's in 2 s"),
		ratio("scale/elections/handover", "p50 at most 1/4 of client-go's", sidecar, 1.0/4, clientGo, 24, "a watch beside polling, with other elections around"),
	}
	for _, fault := range []string{"pod-kill", "rollout-3", "cut"} {
		all = append(all, budget("overlap/"+fault, "0 s", short, 1, 0, 2, "at most one works: the promise"))
	}
	for _, fault := range []string{"pod-kill", "rollout-3", "cut"} {
		b := ratio("leaderless/"+fault, "at most client-go's and twice the safety margin", short, 1, tuned, 2, "the margin is 1.67 s of a lease duration of 5 s: the price of at most one")
		b.Max = 2 * 1.67
		all = append(all, b)
	}
	return all
}
