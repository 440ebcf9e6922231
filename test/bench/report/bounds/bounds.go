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
func budget(figure, text string, of result.Subject, share, most float64, why string) Bound {
	return Bound{Figure: figure, Why: why, Limit: catalog.Limit{Text: text, Of: of, Share: share, Max: most}}
}

// All returns the bounds. Each holds for the short form of the benchmarks, too.
func All() []Bound {
	const sidecar, clientGo, short, tuned = result.Sidecar, result.ClientGo, result.Short, result.Tuned
	floor := ratio("handover/total", "p50 at most 5 times the floor", sidecar, 5, result.Floor, 10, "about twice the floor is measured")
	floor.Beside = "handover/floor"
	all := []Bound{
		ratio("handover/total", "p50 at most 1/15 of client-go's", sidecar, 1.0/15, clientGo, 2, "a standby of ours watches, one of client-go's polls every 2 s"),
		floor,
		ratio("takeover/past-expiry", "p50 at most 1/2 of client-go's", sidecar, .5, clientGo, 3, "a standby of ours has a timer, one of client-go's polls every 2 s"),
		ratio("signal/file", "p50 at most 8 times the floor", sidecar, 8, result.Floor, 10, "two to three times the floor is measured, with the hold file and the document before it"),
		ratio("signal/http", "p50 at most 12 times the floor", sidecar, 12, result.Floor, 10, "about four times the floor is measured, which sends a line and no more"),
		budget("requests/fleet", "at most 0.45 a second", sidecar, 1, .45,
			"the leader renews every 3 s, and standbys send nothing, whatever the size; a short time may have one renewal more"),
		budget("idle/working-set", "at most 8 MiB", sidecar, .5, 8, "the budget of a leader in a pod"),
		budget("idle/working-set-standby", "at most 8 MiB", sidecar, .5, 8, "the budget of a standby in a pod"),
		ratio("idle/private", "at most 1.5 times client-go's", sidecar, 1.5, clientGo, 1,
			"0.9 of it is measured over 5 minutes, and 1.15 in the first seconds, in which the heap of client-go's has not grown yet"),
		ratio("idle/cpu", "at most 3 times client-go's", sidecar, 3, clientGo, 1, "they are alike; a short time has few renewals"),
		budget("binary", "at most 21 MB (20.03 MiB)", sidecar, 1, 20.03, "the budget of the binary"),
		ratio("scale/500/idle/requests", "at most 1/2 of client-go's", short, .5, tuned, 1, "standbys send nothing; the share falls with the number of candidates"),
		budget("scale/500/successor/conflicts", "none", short, .5, 0, "only the named successor writes"),
		ratio("scale/elections/requests", "at most 1/2 of client-go's", sidecar, .5, clientGo, 1, "one renewal in 3 s, beside two or three requests of each candidate of client-go's in 2 s"),
		ratio("scale/elections/handover", "p50 at most 1/5 of client-go's", sidecar, .2, clientGo, 2, "a watch beside polling, with other elections around"),
	}
	for _, fault := range []string{"pod-kill", "rollout-3", "cut"} {
		all = append(all, budget("overlap/"+fault, "0 s", short, 1, 0, "at most one works: the promise"))
	}
	for _, fault := range []string{"pod-kill", "rollout-3", "cut"} {
		b := ratio("leaderless/"+fault, "at most client-go's and twice the safety margin", short, 1, tuned, 2, "the margin is 1.67 s of a lease duration of 5 s: the price of at most one")
		b.Max = 2 * 1.67
		all = append(all, b)
	}
	return all
}
