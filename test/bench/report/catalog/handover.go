package catalog

import "github.com/lease-sidecar/lease-sidecar/test/bench/result"

var (
	ours      = []result.Subject{result.Sidecar}
	oursTwice = []result.Subject{result.Sidecar, result.Before}
	everybody = []result.Subject{result.Sidecar, result.ClientGo, result.Tuned, result.Before}
	theFloor  = []result.Subject{result.Floor}
)

// duration is a figure in milliseconds of lease-sidecar alone, such as a part of another one.
func duration(id, title, what, test string) Figure {
	return Figure{ID: id, Title: title, What: what, Unit: "ms", Who: ours, Test: test}
}

// handover is the planned handover, and its parts.
func handover() Section {
	part := func(id, title, what string) Figure { return duration("handover/"+id, title, what, "TestHandover") }
	elected := func(id, title, what string) Figure {
		return duration("handover/"+id, title, what, "TestRestedHandover")
	}
	return Section{ID: "handover", Figures: []Figure{
		{
			ID: "handover/total", Title: "planned handover", Unit: "ms", Who: everybody, Test: "TestHandover", Headline: true,
			What: "from the SIGTERM to the leader of three replicas, whose work ends at once, until another replica says that it leads",
			Targets: []Limit{
				p50(12, "p50 ≤ 12 ms"), p99(30, "p99 ≤ 30 ms"),
				{Text: "p50 ≤ 1/40 of client-go's", Share: .5, Factor: 1.0 / 40, Against: result.ClientGo},
			},
			Reason: "the parts below show where the time goes, and *the floor* what no elector can avoid.",
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
		elected("awake", "to a standby with an open connection", "from the order to the leader's elector, which has no workload, until the standby that it names leads"),
		elected("rested", "to a standby at rest for 100 s", "the same where the API server has closed the standby's connection for requests, so that the take makes one"),
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

// signals is how long the way from the API server's answer to the workload is, and its parts.
func signals() Section {
	const from = "from the answer to the write that takes the Lease, or from the event of that write, whichever comes first, "
	signal := func(id, title, until string) Figure {
		return Figure{
			ID: "signal/" + id, Title: title, What: from + until, Unit: "ms", Who: []result.Subject{result.Sidecar, result.Floor},
			Test: "TestSignals", Headline: true, Targets: []Limit{p99(3, "p99 ≤ 3 ms")},
			Reason: "the parts below show where the time goes, and *floor* what a program needs that does nothing but this signal.",
		}
	}
	part := func(id, title, what string) Figure { return duration("signal/"+id, title, what, "TestSignals") }
	child := signal("child", "answer to child", "until the child process runs")
	child.Targets = nil
	return Section{ID: "signals", Figures: []Figure{
		signal("file", "answer to file", "until the leader file is there"),
		part("file/hold", "part of file: hold", "from the answer until the hold file is written: the answer is read and judged. Every signal comes after that"),
		part("file/document", "part of file: document", "from the hold until the leadership document is in place"),
		part("file/leader", "part of file: leader", "from the document until the leader file is in place"),
		part("file/disk", "answer to file on a disk", "the same as *answer to file* with a signal directory that is on the machine's disk, and not in memory as in the examples"),
		signal("http", "answer to HTTP", "until a client of GET /events has the event"),
		part("http/event", "part of HTTP: event", "from the hold until the client has the event"),
		signal("process", "answer to process signal", "until the process has the process signal"),
		part("process/signal", "part of process signal: signal", "from the hold until the process has the signal: the sidecar looks for its process, gives the deadline to the guard, and sends the signal"),
		child,
		part("child/start", "part of child: start", "from the hold until the child process runs: the guard has the order, and starts the command"),
		{
			ID: "start/first-signal", Title: "start to first signal", Unit: "ms", Who: ours, Test: "TestSignals", Headline: true,
			What: "from the start of the sidecar's process, where the Lease is free, until the leader file is there",
		},
	}}
}
