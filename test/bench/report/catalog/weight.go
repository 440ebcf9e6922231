package catalog

import (
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// requests is what a fleet asks of the API server, and node what it takes of the memory of a node.
func requests() Section {
	return Section{ID: "requests", Form: Sweep, Figures: []Figure{{
		ID: "requests/fleet", Title: "requests of an idle fleet", Unit: "1/s", At: "replicas", Who: everybody, Test: "TestFleet", Headline: true,
		What:    "what all replicas of one election send to the API server while nothing happens, by its audit log",
		Targets: []Limit{p50(.36, "≤ 0.36/s")},
	}}}
}

func node() Section {
	return Section{ID: "node", Form: Sweep, Figures: []Figure{
		{
			ID: "node/memory", Title: "memory of a fleet on one node", Unit: "MiB", At: "replicas", Who: everybody, Test: "TestFleet",
			What: "all memory that the kernel charges to the replicas together, with the file of their program, which is in no page cache before",
		},
		{
			ID: "node/working-set", Title: "working set of that fleet", Unit: "MiB", At: "replicas", Who: everybody, Test: "TestFleet",
			What: "the same without the pages of files that the kernel takes back first",
		},
	}}
}

// A state is what processes are watched in.
var (
	idleTargets = map[string][]Limit{
		"idle/cpu": {p50(.05, "≤ 0.05 %")}, "idle/working-set": {p50(8, "≤ 8 MiB")}, "idle/rss": {p50(16, "≤ 16 MiB")},
		"idle/cpu-standby": {p50(.05, "≤ 0.05 %")}, "idle/working-set-standby": {p50(8, "≤ 8 MiB")}, "idle/rss-standby": {p50(16, "≤ 16 MiB")},
	}
	plain = []way{{"", "leader", everybody}, {"-standby", "standby", everybody}}
	ways  = []way{
		{"-membership", "leader with --membership", oursTwice},
		{"-membership-standby", "standby with --membership", oursTwice},
		{"-child", "leader with a command", oursTwice},
		{"-child-standby", "standby with a command", oursTwice},
		{"-guard", "guard of that leader", oursTwice},
		{"-standby-guard", "guard of that standby", oursTwice},
	}
)

// way is a role of a process, and how it runs.
type way struct {
	suffix, title string
	who           []result.Subject
}

// idle is what one process costs while nothing happens, and outage while the API server is away.
func idle() Section {
	section := costs("idle", "idle", plain)
	section.Figures = append(section.Figures, Figure{
		ID: "binary", Title: "binary, stripped", Unit: "MiB", Who: everybody, Test: "TestIdle", Headline: true,
		What: "the size of the file", Targets: []Limit{p50(20.02, "≤ 21 MB (20.0 MiB)")},
	})
	return section
}

func outage() Section     { return costs("outage", "outage", plain) }
func idleWays() Section   { return costs("idle-ways", "idle", ways) }
func outageWays() Section { return costs("outage-ways", "outage", ways) }

// costs is what is measured of a process in each way.
func costs(id, state string, in []way) Section {
	section := Section{ID: id, Form: Subjects}
	for _, w := range in {
		for _, m := range []struct {
			id, title, unit, what string
			headline              bool
		}{
			{"cpu", "CPU", "% of a core", "the time on a processor", true},
			{"wakeups", "wake-ups", "1/s", "how often a thread of it wakes up", false},
			{"switches", "context switches", "1/s", "voluntary and involuntary ones, of all threads", false},
			{"rss", "resident memory", "MiB", "all resident pages, those of the binary too, which processes share", false},
			{"private", "private memory", "MiB", "the resident pages that no other process shares", false},
			{"working-set", "working set", "MiB", "what the kubelet compares with a limit of memory: that of the control group, less its inactive file pages; with a command, the guard's and the command's too", true},
		} {
			if m.id == "working-set" && strings.HasSuffix(w.suffix, "-guard") {
				continue // a guard is in the control group of its sidecar
			}
			f := Figure{
				ID: state + "/" + m.id + w.suffix, Title: w.title + ": " + m.title, Unit: m.unit, What: m.what, Who: w.who, Test: "TestIdle",
				Headline: m.headline && id == "idle",
			}
			if f.Targets = idleTargets[f.ID]; m.id == "rss" {
				f.Reason = "most of it is pages of the program's file, which all replicas on a node share and the kubelet does not count. To give them up " +
					"would lower this figure, and neither the working set nor what the node pays ([ADR 0010](../adr/0010-no-dropped-pages.md))."
			}
			section.Figures = append(section.Figures, f)
		}
	}
	return section
}

// server is the sidecar as a server of HTTP, and streams as one of events.
func server() Section {
	return Section{ID: "http", Form: Sweep, Figures: []Figure{
		{
			ID: "http/rate", Title: "GET /leader", Unit: "1/s", More: true, At: "clients", Who: oursTwice, Test: "TestHTTP", Headline: true,
			What: "how many requests the leader answers a second, to clients that each ask over one connection as fast as it answers",
		},
		{
			ID: "http/latency", Title: "GET /leader under that load", Unit: "ms", At: "clients", Who: oursTwice, Test: "TestHTTP", Headline: true,
			What: "from a request to its answer; the clients share the machine with the sidecar",
		},
	}}
}

func streams() Section {
	return Section{ID: "events", Figures: []Figure{
		{ID: "sse/clients", Title: "clients of GET /events", Who: oursTwice, More: true, Test: "TestStreams", What: "how many clients follow the events of one sidecar at once"},
		{
			ID: "sse/latency", Title: "event to client", Unit: "ms", At: "clients", Who: oursTwice, Test: "TestStreams", Headline: true,
			What: "from the leader file until a client has the event",
		},
		{
			ID: "sse/memory", Title: "memory for each client", Unit: "MiB", At: "clients", Who: oursTwice, Test: "TestStreams",
			What: "the private memory that the sidecar needs more with all clients connected, divided by their number",
		},
	}}
}
