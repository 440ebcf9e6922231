package membership

import (
	"cmp"
	"slices"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Choice is what membership advises the election.
type Choice struct {
	// Successor is the identity of the member to name in a release; "" for none.
	Successor string
	// StandBack says that this replica is of an outgoing revision while a live, healthy member of the newest one is there.
	StandBack bool
}

// proven is a live member, and when its Lease was last seen to change.
type proven struct {
	Member
	at bootclock.Instant
}

// ready reports whether the member could lead.
func (p proven) ready() bool { return p.Health == Healthy }

// choose picks the successor among the live members, of which one, self, may be this replica (by its Lease). It prefers the
// highest priority, then the newest revision, then the one that was seen alive last. It keeps to the successor of the choice
// before while that one is as good and was seen alive since fresh: a choice that changes with every renewal helps nobody.
func choose(live []proven, self string, before Choice, fresh bootclock.Instant) Choice {
	ranks := revisions(live)
	var best *proven
	better := func(a, b proven) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(ranks[a.Revision], ranks[b.Revision]))
	}
	for i, one := range live {
		if one.Lease == self || !one.ready() || one.Identity == "" {
			continue
		}
		if best == nil || cmp.Or(better(one, *best), cmp.Compare(one.at, best.at), cmp.Compare(one.Identity, best.Identity)) > 0 {
			best = &live[i]
		}
	}
	choice := Choice{StandBack: outgoing(live, ranks, self)}
	if best == nil {
		return choice
	}
	choice.Successor = best.Identity
	kept := slices.IndexFunc(live, func(one proven) bool { return one.Identity == before.Successor })
	if kept >= 0 && live[kept].Lease != self && live[kept].ready() && better(live[kept], *best) == 0 && !live[kept].at.Before(fresh) {
		choice.Successor = before.Successor
	}
	return choice
}

// outgoing reports whether self is of another revision than the newest, of which a member is ready.
func outgoing(live []proven, ranks map[string]int, self string) bool {
	newest := newestOf(ranks)
	own := slices.IndexFunc(live, func(one proven) bool { return one.Lease == self })
	if newest == "" || own < 0 || ranks[live[own].Revision] == 0 || live[own].Revision == newest {
		return false
	}
	return slices.ContainsFunc(live, func(one proven) bool { return one.Revision == newest && one.ready() && one.Lease != self })
}

// revisions ranks the revisions of the live members, from 1 for the oldest: the later its earliest member has joined, the newer
// is a revision. Members that name no revision, or of which it is not known when they joined, say nothing.
func revisions(live []proven) map[string]int {
	earliest := map[string]lease.Version{}
	for _, one := range live {
		if one.Revision == "" || one.Joined == "" {
			continue
		}
		if first, known := earliest[one.Revision]; !known || one.Joined.Compare(first) < 0 {
			earliest[one.Revision] = one.Joined
		}
	}
	order := make([]string, 0, len(earliest))
	for revision := range earliest {
		order = append(order, revision)
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(earliest[a].Compare(earliest[b]), cmp.Compare(a, b)) })
	ranks := map[string]int{}
	for i, revision := range order {
		ranks[revision] = i + 1
	}
	return ranks
}

// newestOf returns the revision of the highest rank; "" where there is none.
func newestOf(ranks map[string]int) string {
	newest := ""
	for revision, rank := range ranks {
		if rank > ranks[newest] {
			newest = revision
		}
	}
	return newest
}
