//go:build linux

package integration

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Timings of the mixed elections. The grace that a foreign elector needs is its retry period + 3 times its renew
// deadline − its lease duration + 1 s.
const (
	mixedDuration = 3 * time.Second
	peerDeadline  = 2 * time.Second
	peerRetry     = 500 * time.Millisecond
	mixedGrace    = peerRetry + 3*peerDeadline - mixedDuration + time.Second
)

// TestClientGoPeers lets two of ours and two of client-go's electors share a Lease and forces leadership around:
// never do one of ours and one of theirs, nor two of ours, lead at once.
func TestClientGoPeers(t *testing.T) {
	t.Parallel()
	const elections, rounds = 4, 3 // of each kind: 2·4·3 rounds of five forced changes each are 120
	var changes atomic.Int32
	t.Run("all", func(t *testing.T) {
		for _, release := range []bool{true, false} {
			for i := range elections {
				t.Run(fmt.Sprintf("ReleaseOnCancel=%v/%d", release, i), func(t *testing.T) {
					t.Parallel()
					m := newMixed(t, release)
					for range rounds {
						m.round(t)
						changes.Add(5)
					}
				})
			}
		}
	})
	if n := changes.Load(); n < 100 {
		t.Errorf("%d forced changes, want at least 100", n)
	}
}

// mixed is an election with candidates of both kinds.
type mixed struct {
	election *harness.Election
	ours     []*harness.Sidecar
	theirs   []*harness.Peer
}

func newMixed(t *testing.T, release bool) *mixed {
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Flags = []string{"--foreign-grace", mixedGrace.String()}
	e.Ship(t)
	m := &mixed{election: e, ours: e.StartAll(t, 2)}
	witness := watch(t, m.ours...)
	harness.AwaitLeader(t, bound, m.ours...)
	for i := range 2 {
		p := e.StartPeer(t, fmt.Sprintf("peer-%d", i), harness.PeerOptions{
			ReleaseOnCancel: release, LeaseDuration: mixedDuration, RenewDeadline: peerDeadline, RetryPeriod: peerRetry,
		})
		witness.AddPeer(p)
		m.theirs = append(m.theirs, p)
	}
	return m
}

// round forces five changes: ours to anybody by a release, ours to theirs, theirs to theirs, theirs to ours, and a frozen one of
// ours to anybody.
func (m *mixed) round(t *testing.T) {
	leader := m.oursLeads(t)
	was := leader.State().Identity
	leader.StepDown(t)
	m.moves(t, was) // mostly to the other one of ours, as theirs look only now and then

	for _, s := range m.ours {
		s.Terminate(t)
	}
	first := theirsLead(t, m.theirs...)

	stopPeers(t, first)
	second := theirsLead(t, m.theirs[1-slices.Index(m.theirs, first)])
	startPeers(t, first)

	for _, s := range m.ours {
		s.Start(t, m.election)
	}
	stopPeers(t, first, second)
	frozen := m.oursLeads(t)

	frozen.Freeze(t)
	startPeers(t, first, second)
	m.moves(t, frozen.State().Identity)
	frozen.Wake(t)

	stopPeers(t, first, second) // back to the start: one of ours leads, theirs stand by
	m.oursLeads(t)
	startPeers(t, first, second)
}

// bound is how long any change may take: the longest orderly wait and room for a slow machine.
const bound = mixedDuration + mixedGrace + slack

// moves waits until somebody else than was holds the Lease.
func (m *mixed) moves(t *testing.T, was string) {
	t.Helper()
	harness.Eventually(t, bound, "somebody else than "+was+" holds the Lease", func() bool {
		holder := m.election.Holder(t)
		return holder != "" && holder != was
	})
}

func (m *mixed) oursLeads(t *testing.T) *harness.Sidecar {
	t.Helper()
	return harness.AwaitLeader(t, bound, m.ours...)
}

// theirsLead waits until one of client-go's leads. One that has lost the lead has ended, and is started again.
func theirsLead(t *testing.T, theirs ...*harness.Peer) (leader *harness.Peer) {
	t.Helper()
	harness.Eventually(t, bound, "one of client-go's leads", func() bool {
		startPeers(t, theirs...)
		i := slices.IndexFunc(theirs, func(p *harness.Peer) bool { leads, _ := p.Leads(); return leads })
		if i >= 0 {
			leader = theirs[i]
		}
		return i >= 0
	})
	return leader
}

// startPeers starts those that have ended.
func startPeers(t *testing.T, theirs ...*harness.Peer) {
	t.Helper()
	for _, p := range theirs {
		if !p.Alive() {
			p.Start(t)
		}
	}
}

// stopPeers asks candidates to end, by releasing where they do so, and waits until they have.
func stopPeers(t *testing.T, theirs ...*harness.Peer) {
	t.Helper()
	for _, p := range theirs {
		_ = p.Signal(syscall.SIGTERM) // it may have ended, having lost the lead
		select {
		case <-p.Exited():
		case <-time.After(bound):
			t.Fatalf("%s still runs after %v", p.Name, bound)
		}
	}
}
