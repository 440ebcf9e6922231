package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// alive returns a live member whose Lease is named as its identity.
func alive(identity, revision string, joined lease.Version, at bootclock.Instant, change ...func(*proven)) proven {
	p := proven{Member{Lease: identity, Identity: identity, Pod: identity, Revision: revision, Joined: joined, Health: Healthy, Priority: 10}, at}
	for _, c := range change {
		c(&p)
	}
	return p
}

func TestChoose(t *testing.T) {
	of := func(h Health) func(*proven) { return func(p *proven) { p.Health = h } }
	priority := func(n int) func(*proven) { return func(p *proven) { p.Priority = n } }
	for _, tc := range []struct {
		name   string
		live   []proven
		before string
		want   Choice
	}{
		{"nobody", nil, "", Choice{}},
		{"only this replica", []proven{alive("self", "a", "1", 50)}, "", Choice{}},
		{"one other", []proven{alive("self", "a", "1", 50), alive("x", "a", "2", 50)}, "", Choice{Successor: "x"}},
		{"the one seen last", []proven{alive("x", "a", "1", 51), alive("y", "a", "2", 53), alive("z", "a", "3", 52)}, "", Choice{Successor: "y"}},
		{"higher priority, though seen earlier and older", []proven{
			alive("x", "b", "9", 60, priority(5)), alive("y", "a", "1", 41, priority(6)),
		}, "", Choice{Successor: "y"}},
		{"newer revision, though seen earlier", []proven{alive("x", "a", "1", 60), alive("y", "b", "9", 41)}, "", Choice{Successor: "y"}},
		{"not the unhealthy, nor the leaving, nor one that has left", []proven{
			alive("x", "b", "9", 60, of(Unhealthy)), alive("y", "b", "9", 60, of(Leaving)), alive("z", "a", "1", 41),
			alive("", "b", "9", 60),
		}, "", Choice{Successor: "z"}},
		{"all unhealthy", []proven{alive("x", "a", "9", 60, of(Unhealthy))}, "x", Choice{}},
		{"versions are numbers", []proven{alive("x", "a", "99", 60), alive("y", "b", "100", 50)}, "", Choice{Successor: "y"}},
		{"a revision is as old as its first member", []proven{
			alive("x", "a", "1", 50), alive("y", "b", "5", 50), alive("z", "a", "9", 60),
		}, "", Choice{Successor: "y"}},
		{"no revision known", []proven{alive("x", "", "1", 50), alive("y", "", "", 60)}, "", Choice{Successor: "y"}},
		{"a member that does not say when it joined has no say", []proven{alive("x", "a", "5", 50), alive("y", "b", "", 60)}, "", Choice{Successor: "x"}},

		{"keeps to the one before", []proven{alive("x", "a", "1", 45), alive("y", "a", "2", 60)}, "x", Choice{Successor: "x"}},
		{"not once that was not seen for long", []proven{alive("x", "a", "1", 39), alive("y", "a", "2", 60)}, "x", Choice{Successor: "y"}},
		{"not once that is worse", []proven{alive("x", "a", "1", 60), alive("y", "b", "2", 45)}, "x", Choice{Successor: "y"}},
		{"not once that is unhealthy", []proven{alive("x", "a", "1", 60, of(Unhealthy)), alive("y", "a", "2", 45)}, "x", Choice{Successor: "y"}},
		{"not once that is gone", []proven{alive("y", "a", "2", 45)}, "x", Choice{Successor: "y"}},
		{"never this replica", []proven{alive("self", "a", "1", 60)}, "self", Choice{}},

		{"outgoing", []proven{alive("self", "a", "1", 50), alive("x", "b", "2", 50)}, "", Choice{Successor: "x", StandBack: true}},
		{"incoming", []proven{alive("self", "b", "2", 50), alive("x", "a", "1", 50)}, "", Choice{Successor: "x"}},
		{"outgoing, and the newest is not ready", []proven{
			alive("self", "a", "1", 50), alive("x", "b", "2", 50, of(Unhealthy)),
		}, "", Choice{}},
		{"outgoing, and one of the newest leaves while another is ready", []proven{
			alive("self", "a", "1", 50), alive("x", "b", "2", 50, of(Leaving)), alive("y", "b", "3", 50),
		}, "", Choice{Successor: "y", StandBack: true}},
		{"outgoing, of the middle revision", []proven{
			alive("self", "b", "2", 50), alive("x", "a", "1", 50), alive("y", "c", "3", 50),
		}, "", Choice{Successor: "y", StandBack: true}},
		{"rolled back: the old revision joins anew", []proven{
			alive("self", "b", "5", 50), alive("x", "a", "9", 50),
		}, "", Choice{Successor: "x", StandBack: true}},
		{"this replica has not joined yet", []proven{alive("self", "b", "", 50), alive("x", "a", "1", 50)}, "", Choice{Successor: "x"}},
		{"this replica is not live here", []proven{alive("x", "a", "1", 50)}, "", Choice{Successor: "x"}},
		{"this replica names no revision", []proven{alive("self", "", "1", 50), alive("x", "b", "2", 50)}, "", Choice{Successor: "x"}},
		{"the newest stands even if this replica is unhealthy", []proven{
			alive("self", "a", "1", 50, of(Unhealthy)), alive("x", "b", "2", 50),
		}, "", Choice{Successor: "x", StandBack: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, choose(tc.live, "self", Choice{Successor: tc.before}, 40)); diff != "" {
				t.Errorf("choice (-want +got):\n%s", diff)
			}
		})
	}
}
