package catalog

import "github.com/lease-sidecar/lease-sidecar/test/bench/result"

// candidates is one Lease with many candidates.
func candidates() Section {
	section := Section{ID: "candidates", Form: Sweep}
	figure := func(id, title, unit, what string, who ...result.Subject) {
		f := Figure{ID: "scale/500/" + id, Title: title, Unit: unit, What: what, At: "candidates", Test: "TestCandidates", Who: who}
		if id == "successor/conflicts" {
			f.Targets = []Limit{{Text: "none", Of: result.Short, Share: 1}}
			f.Reason = "the others wait 50 ms longer than the named successor. On two cores that serve all candidates, the API server and etcd, it can be " +
				"later than that, and then others write, too."
		}
		f.Headline = id == "successor/conflicts" || id == "expiry/conflicts" || id == "release/conflicts"
		section.Figures = append(section.Figures, f)
	}
	const ours, theirs = result.Short, result.Tuned
	figure("idle/requests", "at rest: requests", "1/s", "all requests of all candidates", ours, theirs)
	figure("idle/events", "at rest: events", "1/s", "events that the watches of all candidates deliver; client-go's elector has no watch", ours)
	figure("idle/api-cpu", "at rest: CPU of the API server", "% of a core", "the time on a processor", ours, theirs)
	for _, way := range []struct {
		id, title string
		who       []result.Subject
	}{
		{"release", "release", []result.Subject{ours, theirs}},
		{"successor", "release to a named successor", []result.Subject{ours}},
		{"expiry", "leader killed", []result.Subject{ours, theirs}},
	} {
		figure(way.id+"/leader", way.title+": next leader after", "ms", "until the next candidate leads", way.who...)
		figure(way.id+"/requests", way.title+": requests", "", "all requests of all candidates until shortly after the next leader's first instant", way.who...)
		figure(way.id+"/conflicts", way.title+": refused writes", "", "writes that lost a race, of those requests", way.who...)
		figure(way.id+"/events", way.title+": events", "", "events that the watches of all candidates deliver in that time", ours)
		figure(way.id+"/api-cpu", way.title+": CPU of the API server", "ms", "the time on a processor in that time", way.who...)
	}
	return section
}

// load is what is measured of many elections; all but the last two have a slope.
var load = []struct {
	id, title, unit, what string
	peer                  bool
}{
	{"requests", "requests", "1/s", "all requests of all candidates", true},
	{"events", "events", "1/s", "events that the watches of all candidates deliver", false},
	{"api-cpu", "CPU of the API server", "% of a core", "the time on a processor", true},
	{"etcd-cpu", "CPU of etcd", "% of a core", "the time on a processor", true},
	{"candidates-cpu", "CPU of all candidates", "% of a core", "the time on a processor", true},
	{"api-rss", "memory of the API server", "MiB", "its resident memory", true},
	{"etcd-rss", "memory of etcd", "MiB", "its resident memory", true},
	{"candidates-rss", "memory of all candidates", "MiB", "the resident memory of the one process that they share", true},
	{"etcd-writes", "writes of etcd", "1/s", "puts by etcd's own count", true},
	{"watches", "watches", "", "open watches on Leases by the API server's own count", true},
	{"connections", "connections", "", "open connections of all candidates", true},
	{"renewal", "renewal", "ms", "from the sending of a renewal until its answer", true},
	{"handover", "planned handover", "ms", "from the end of the leader until the next candidate leads", true},
}

// elections is one API server with many elections.
func elections() Section {
	section := Section{ID: "elections", Form: Sweep}
	for _, l := range load {
		section.Figures = append(section.Figures, Figure{
			ID: "scale/elections/" + l.id, Title: l.title, Unit: l.unit, What: l.what, At: "elections", Test: "TestElections",
			Who: subjectsOf(l.peer), Headline: l.id == "requests" || l.id == "api-cpu" || l.id == "handover",
		})
	}
	return section
}

func subjectsOf(peer bool) []result.Subject {
	if peer {
		return nil
	}
	return ours
}

// slopes is what a thousand elections more cost.
func slopes() Section {
	section := Section{ID: "slopes", Form: Subjects}
	for _, l := range load[:len(load)-2] {
		section.Figures = append(section.Figures, Figure{
			ID: "scale/elections/slope/" + l.id, Title: l.title + " for each 1,000 elections", Unit: l.unit, Who: ours, Test: "TestElections",
			What: "the slope of a straight line through the measured numbers of elections, by least squares",
		})
	}
	return section
}
