package catalog

import "github.com/lease-sidecar/lease-sidecar/test/bench/result"

// requests is what a fleet asks of the API server.
func requests() Section {
	return Section{ID: "requests", Form: Sweep, Figures: []Figure{{
		ID: "requests/fleet", Title: "requests of an idle fleet", Unit: "1/s", At: "replicas", Who: everybody, Test: "TestRequests", Headline: true,
		What:    "what all replicas of one election send to the API server while nothing happens, by its audit log",
		Targets: []Limit{p50(.36, "≤ 0.36/s")},
	}}}
}

// idle and outage are what one process costs.
func idle() Section {
	section := Section{ID: "idle", Form: Subjects, Figures: costs("idle", "TestIdle", map[string][]Limit{
		"idle/cpu": {p50(.05, "≤ 0.05 %")}, "idle/working-set": {p50(8, "≤ 8 MiB")}, "idle/rss": {p50(16, "≤ 16 MiB")},
		"idle/working-set-standby": {p50(8, "≤ 8 MiB")}, "idle/cpu-standby": {p50(.05, "≤ 0.05 %")},
	})}
	section.Figures = append(section.Figures, Figure{
		ID: "binary", Title: "binary, stripped", Unit: "MiB", Who: everybody, Test: "TestIdle", Headline: true,
		What: "the size of the file", Targets: []Limit{p50(20.02, "≤ 21 MB (20.0 MiB)")},
	})
	return section
}

func outage() Section {
	return Section{ID: "outage", Form: Subjects, Figures: costs("outage", "TestIdle", nil)}
}

// costs returns what is measured of a leader, of a standby and of a guard.
func costs(state, test string, targets map[string][]Limit) []Figure {
	var all []Figure
	for _, role := range []struct {
		suffix, of string
		who        []result.Subject
	}{{"", "leader", everybody}, {"-standby", "standby", everybody}, {"-guard", "guard", oursTwice}} {
		for _, m := range []struct {
			id, title, unit, what string
			headline              bool
		}{
			{"cpu", "CPU", "% of a core", "the time on a processor", true},
			{"wakeups", "wake-ups", "1/s", "how often a thread of it wakes up", false},
			{"switches", "context switches", "1/s", "voluntary and involuntary ones, of all threads", false},
			{"rss", "resident memory", "MiB", "all resident pages, those of the binary too, which processes share", false},
			{"private", "private memory", "MiB", "the resident pages that no other process shares", false},
			{"working-set", "working set", "MiB", "what the kubelet compares with a limit of memory: the control group's, less its inactive file pages", true},
		} {
			id := state + "/" + m.id + role.suffix
			all = append(all, Figure{
				ID: id, Title: role.of + ": " + m.title, Unit: m.unit, What: m.what, Who: role.who, Test: test, Targets: targets[id],
				Headline: m.headline && state == "idle" && role.of != "guard",
			})
		}
	}
	return all
}

// server is the sidecar as a server of HTTP.
func server() Section {
	return Section{ID: "http", Figures: []Figure{
		{
			ID: "http/rate", Title: "GET /leader", Unit: "1/s", More: true, Who: oursTwice, Test: "TestHTTP", Headline: true,
			What: "how many requests the sidecar answers a second, by connections that stay open",
		},
		{
			ID: "http/latency", Title: "GET /leader under that load", Unit: "ms", Who: oursTwice, Test: "TestHTTP",
			What: "from a request to its answer",
		},
		{ID: "sse/clients", Title: "clients of GET /events", Who: oursTwice, More: true, Test: "TestEvents", What: "how many clients follow the events at once"},
		{
			ID: "sse/latency", Title: "event to client", Unit: "ms", Who: oursTwice, Test: "TestEvents", Headline: true,
			What: "from the change of leader until a client has the event, for each client",
		},
		{
			ID: "sse/memory", Title: "memory with these clients", Unit: "MiB", Who: oursTwice, Test: "TestEvents",
			What: "the resident memory of the sidecar with all clients connected",
		},
	}}
}
