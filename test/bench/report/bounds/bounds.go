package bounds

import (
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// All returns the bounds. Each holds for the short form of the benchmarks, too.
func All() []Bound {
	return []Bound{
		{
			Figure: "handover/total", Least: 5, Why: "a standby of ours watches, one of client-go's polls every 2 s",
			Limit: catalog.Limit{Text: "p50 at most 1/8 of client-go's", Share: .5, Factor: 1.0 / 8, Against: result.ClientGo},
		},
		{
			Figure: "requests/fleet", Why: "the leader renews every 3 s, standbys send nothing; whatever the size",
			Limit: catalog.Limit{Text: "at most 0.4 a second", Share: 1, Max: .4},
		},
		{
			Figure: "idle/working-set", Why: "the budget of a leader",
			Limit: catalog.Limit{Text: "at most 8 MiB", Share: .5, Max: 8},
		},
		{
			Figure: "idle/rss", Why: "the budget of a leader",
			Limit: catalog.Limit{Text: "at most 16 MiB", Share: .5, Max: 16},
		},
		{
			Figure: "idle/cpu", Why: "client-go's renews every 2 s, ours every 3 s; both vary on a loaded machine",
			Limit: catalog.Limit{Text: "at most twice client-go's", Share: .5, Factor: 2, Against: result.ClientGo},
		},
		{
			Figure: "binary", Why: "the budget is 21 MB",
			Limit: catalog.Limit{Text: "at most 20.03 MiB", Share: 1, Max: 20.03},
		},
	}
}
