package status

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Report is all that was seen, judged at one moment, each kind by namespace and name, members by election and pod.
type Report struct {
	// Elections are those of this project and of client-go.
	Elections []Election
	// Members, Nodes, Servers (API servers) and Others are Leases for which nobody competes.
	Members, Nodes, Servers, Others []Beat
}

// Judge judges what the pictures show. It is a function of its arguments alone.
func Judge(pictures []Picture, now Moment) Report {
	var r Report
	for _, s := range merged(pictures) {
		switch kind := KindOf(s.Object); kind {
		case Sidecar, ClientGo:
			r.Elections = append(r.Elections, judgeElection(s, kind, now))
		case MemberOf:
			r.Members = append(r.Members, judgeBeat(s, kind, now))
		case Node:
			r.Nodes = append(r.Nodes, judgeBeat(s, kind, now))
		case APIServer:
			r.Servers = append(r.Servers, judgeBeat(s, kind, now))
		default:
			r.Others = append(r.Others, judgeBeat(s, kind, now))
		}
	}
	slices.SortStableFunc(r.Members, func(a, b Beat) int { // their names are hashes
		return cmp.Or(
			strings.Compare(a.Object.Namespace, b.Object.Namespace), strings.Compare(a.Election(), b.Election()), strings.Compare(a.Pod(), b.Pod()),
		)
	})
	join(r.Elections, r.Members)
	markCollisions(r.Elections)
	return r
}

// Select returns the report without what a label selector does not match.
func (r Report) Select(selector labels.Selector) Report {
	if selector == nil || selector.Empty() {
		return r
	}
	leave := func(s Seen) bool { return !selector.Matches(labels.Set(s.Object.Labels)) }
	r.Elections = slices.DeleteFunc(slices.Clone(r.Elections), func(e Election) bool { return leave(e.Seen) })
	for _, beats := range []*[]Beat{&r.Members, &r.Nodes, &r.Servers, &r.Others} {
		*beats = slices.DeleteFunc(slices.Clone(*beats), func(b Beat) bool { return leave(b.Seen) })
	}
	return r
}

// membersOf returns the members of an election.
func (r Report) membersOf(e Election) []Beat {
	var found []Beat
	for _, m := range r.Members {
		if m.Object.Namespace == e.Object.Namespace && m.Election() == e.Object.Name {
			found = append(found, m)
		}
	}
	return found
}
