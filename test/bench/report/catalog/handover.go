package catalog

import "github.com/lease-sidecar/lease-sidecar/test/bench/result"

var (
	ours      = []result.Subject{result.Sidecar}
	oursTwice = []result.Subject{result.Sidecar, result.Before}
	everybody = []result.Subject{result.Sidecar, result.ClientGo, result.Tuned, result.Before}
	theFloor  = []result.Subject{result.Floor}
)

// handover is the planned handover, and its parts.
func handover() Section {
	part := func(id, title, what string) Figure {
		return Figure{ID: "handover/" + id, Title: title, What: what, Unit: "ms", Who: ours, Test: "TestHandover"}
	}
	return Section{ID: "handover", Figures: []Figure{
		{
			ID: "handover/total", Title: "planned handover", Unit: "ms", Who: everybody, Test: "TestHandover", Headline: true,
			What: "from the SIGTERM to the leader of three replicas, whose work ends at once, until another replica says that it leads",
			Targets: []Limit{
				p50(12, "p50 ≤ 12 ms"), p99(30, "p99 ≤ 30 ms"),
				{Text: "p50 ≤ 1/40 of client-go's", Share: .5, Factor: 1.0 / 40, Against: result.ClientGo},
			},
			Reason: "the parts below show where the time goes. Beside the two writes, the drain and the wait are the largest: the sidecars, their guards, " +
				"the API server and etcd all wake up at the same instant, on two cores.",
		},
		{
			ID: "handover/floor", Title: "the floor", Unit: "ms", Who: theFloor, Test: "TestHandover",
			What: "a PUT, its event on a watch, and a PUT in answer, sent by hand to the same server: no handover by a Lease is faster",
		},
		part("drain", "part: drain", "from the SIGTERM until the first request: the workload stops, and is seen to have stopped"),
		part("read", "part: read", "a read of the Lease before the release; 0 where none is needed"),
		part("release", "part: release", "the write that releases the Lease, from its sending to its answer"),
		part("event", "part: event", "from that answer until the next leader has the release from its watch; below 0 where the event comes first"),
		part("wait", "part: wait", "from the event until the next leader sends the take: its turn among the standbys"),
		part("take", "part: take", "the write that takes the Lease, from its sending to its answer"),
		part("file", "part: file", "from that answer until the leader file is there"),
	}}
}

// takeover is what follows a crash.
func takeover() Section {
	return Section{ID: "takeover", Figures: []Figure{
		{
			ID: "takeover/expiry", Title: "takeover after SIGKILL", Unit: "s", Who: everybody, Test: "TestTakeover", Headline: true,
			What: "from the SIGKILL of the leader's process until another replica says that it leads",
		},
		{
			ID: "takeover/past-expiry", Title: "takeover, past the expiry", Unit: "ms", Who: everybody, Test: "TestTakeover", Headline: true,
			What:    "from the expiry, which is one lease duration after the last renewal came to a watch beside the standby's, until another replica says that it leads",
			Targets: []Limit{p99(100, "p99 ≤ 100 ms")},
		},
	}}
}

// signals is how long the way from the API server's answer to the workload is.
func signals() Section {
	signal := func(id, title, what string) Figure {
		return Figure{
			ID: "signal/" + id, Title: title, What: what, Unit: "ms", Who: ours, Test: "TestSignals", Headline: true,
			Targets: []Limit{p99(3, "p99 ≤ 3 ms")},
			Reason:  "its parts have not been measured yet.",
		}
	}
	child := signal("child", "answer to child", "from the answer to the write that takes the Lease until the child process runs")
	child.Targets = nil
	return Section{ID: "signals", Figures: []Figure{
		signal("file", "answer to file", "from the answer to the write that takes the Lease until the leader file is there"),
		signal("http", "answer to HTTP", "from the answer to the write that takes the Lease until a client of GET /events has the event"),
		signal("process", "answer to process signal", "from the answer to the write that takes the Lease until the process has the process signal"),
		child,
		{
			ID: "start/first-signal", Title: "start to first signal", Unit: "ms", Who: ours, Test: "TestSignals", Headline: true,
			What: "from the start of the sidecar's process, where the Lease is free, until the leader file is there",
		},
	}}
}
