//go:build linux

package integration

import (
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestBlackholedLeader cuts the leader's line, one way or both, and heals it at every phase of what follows. A short
// cut costs nothing; a longer one ends the term by its validUntil, and nobody takes the Lease before it has expired.
// Whatever arrives late in the end blanks nobody's record.
func TestBlackholedLeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ways harness.Way
	}{
		{"requests", harness.Requests},
		{"replies", harness.Replies},
		{"both", harness.Both},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			since, h := time.Now(), recordHistory(t, e)
			replicas, lines := startVia(t, e, e.Cluster.Proxy)
			witness := harness.Watch(t, replicas...)
			harness.AwaitLeader(t, e.Duration+slack, replicas...)
			b := blackhole{e: e, replicas: replicas, lines: lines, ways: tc.ways}
			for _, phase := range []struct {
				name string
				run  func(*testing.T, *harness.Sidecar)
			}{
				{"before the next renewal", b.healBeforeRenewal},
				{"while a renewal hangs", b.healAmidRenewal},
				{"after validUntil, before the expiry", b.healAfterValidUntil},
				{"after the takeover", b.healAfterTakeover},
			} {
				leader := awaitAgreement(t, 2*e.Duration+slack, replicas)
				t.Logf("the line of %s is cut, and healed %s", leader.Pod, phase.name)
				awaitRenewal(t, leader)
				lines[leader].CutWays(tc.ways)
				phase.run(t, leader)
			}
			awaitAgreement(t, 2*e.Duration+slack, replicas)
			witness.Verdict(t)
			checkNoTakeBeforeExpiry(t, e, since)
			if holders := h.holders(); len(holders) < 3 || slices.Contains(holders[1:], "") {
				t.Errorf("the Lease was held by %q in turn, want nobody to blank it and two holders at least", holders)
			}
		})
	}
}

// blackhole is an election whose leader's line has just been cut.
type blackhole struct {
	e        *harness.Election
	replicas []*harness.Sidecar
	lines    map[*harness.Sidecar]*harness.Proxy
	ways     harness.Way
}

func (b blackhole) healBeforeRenewal(t *testing.T, leader *harness.Sidecar) {
	b.bridge(t, leader, b.interval()/2)
}

func (b blackhole) healAmidRenewal(t *testing.T, leader *harness.Sidecar) {
	b.bridge(t, leader, b.interval()+b.interval()/4)
}

// bridge heals the line after so short a time that the term goes on.
func (b blackhole) bridge(t *testing.T, leader *harness.Sidecar, after time.Duration) {
	t.Helper()
	same := steady(leader)
	harness.Throughout(t, after, "the same term while the line is cut", same)
	b.lines[leader].Heal()
	harness.Throughout(t, 2*b.interval(), "the same term after the cut", same)
}

func (b blackhole) healAfterValidUntil(t *testing.T, leader *harness.Sidecar) {
	_, before := leader.Told()
	deadline := leader.State().ValidUntil
	checkLossByDeadline(t, leader, deadline.Add(b.e.Duration/10))
	b.lines[leader].Heal()
	// A renewal that hung may arrive now, and begin a new term of the same replica; else another's begins later.
	nextTerm(t, b.e, before, b.replicas)
}

func (b blackhole) healAfterTakeover(t *testing.T, leader *harness.Sidecar) {
	_, before := leader.Told()
	checkLossByDeadline(t, leader, leader.State().ValidUntil.Add(b.e.Duration/10))
	heir := harness.AwaitLeader(t, b.e.Duration+slack, harness.Others(b.replicas, leader)...)
	if _, after := heir.Told(); !greater(after, before) {
		t.Errorf("token %s after token %s: want a greater one", after, before)
	}
	same := steady(heir)
	b.lines[leader].Heal()
	harness.Throughout(t, 2*b.interval(), "the heir's term after the old leader's return", same)
	harness.Eventually(t, slack, "the old leader names the heir", func() bool {
		_, l := leader.Leader()
		return l.Leader == heir.Pod
	})
}

// interval is the documented renew interval.
func (b blackhole) interval() time.Duration { return max(b.e.Duration/5, time.Second) }
