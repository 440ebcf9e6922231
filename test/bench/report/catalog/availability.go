package catalog

import "github.com/lease-sidecar/lease-sidecar/test/bench/result"

// Fault is one kind of fault that availability is measured under.
type Fault struct {
	// ID is its part of the names of figures, and Title names it in tables.
	ID, Title string
	// Reason says why the target for the time without a leader is missed; "" where it is not.
	Reason string
}

// Faults are the kinds, in the order of the page.
var Faults = []Fault{
	{ID: "pod-kill", Title: "pod killed"},
	{ID: "sidecar-kill", Title: "sidecar killed"},
	{ID: "app-kill", Title: "application killed"},
	{ID: "cut", Title: "leader cut off"},
	{
		ID: "outage-5s", Title: "API server away for 5 s",
		Reason: "at a lease duration of 5 s this outage is as long as the lease. Where the API server carries out a renewal at its end that has hung in it, all candidates " +
			"wait for a lease duration from then. The last leader may take its Lease again at once only within 0.98 lease durations of the sending of that renewal " +
			"([rule 8](protocol.md#rules)), which is over for one sent in the first 0.1 s of the outage. Of 30 such outages in a trial of 26 November 2026 two cost 7.7 s " +
			"for that reason, and the others 1.8 to 3.4 s.",
	},
	{ID: "outage-12s", Title: "API server away for 12 s"},
	{
		ID: "outage-30s", Title: "API server away for 30 s",
		Reason: "the leader of lease-sidecar stops at its renew deadline. That of client-go's elector works on for longer: its deadline counts from the last " +
			"answer, and it tries to release the Lease before it stops its work ([the protocol](protocol.md)).",
	},
	{ID: "etcd-restart", Title: "etcd restarted"},
	{
		ID: "slow-writes", Title: "writes that take 2 to 5 s",
		Reason: "a renewal needs the version that the last one made, so two writes in a row must end within the renew deadline, which counts from before the first was " +
			"sent. At a lease duration of 5 s that is 3.33 s, less than one of these writes can take.",
	},
	{ID: "rollout-3", Title: "rollout of 3 replicas"},
	{ID: "rollout-10", Title: "rollout of 10 replicas"},
}

// bothKinds are the two electors, each at two settings.
var bothKinds = []result.Subject{result.Sidecar, result.ClientGo, result.Short, result.Tuned, result.Before}

// availability is the time without a leader, and that with two of them, for each fault.
func availability() Section {
	section := Section{ID: "availability", Form: Subjects}
	for _, fault := range Faults {
		section.Figures = append(
			section.Figures,
			Figure{
				ID: "leaderless/" + fault.ID, Title: fault.Title + ": nobody works", Unit: "s", Who: bothKinds, Test: "TestFaults", Headline: true,
				What:   "how long nobody works, for each occurrence of the fault, by what the workloads write down",
				Reason: fault.Reason,
				// The margin is the lease duration less the renew deadline: 5 s of 15 s, 1.67 s of 5 s. A takeover may end 0.1 s after the expiry.
				Targets: []Limit{
					{Text: "≤ client-go's + 5.1 s", Share: .5, Max: 5.1, Factor: 1, Against: result.ClientGo},
					{Text: "lease duration 5 s: ≤ client-go's + 1.77 s", Of: result.Short, Share: .5, Max: 1.77, Factor: 1, Against: result.Tuned},
				},
			},
			Figure{
				ID: "overlap/" + fault.ID, Title: fault.Title + ": two work", Unit: "s", Who: bothKinds, Test: "TestFaults", Headline: true,
				What:    "how long two replicas work at once, for each occurrence of the fault, by what the workloads write down",
				Targets: []Limit{{Text: "0 s", Share: 1}},
			},
		)
	}
	return section
}
