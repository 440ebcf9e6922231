//go:build linux

package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

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
	var changes counter
	t.Run("all", func(t *testing.T) {
		for _, release := range []bool{true, false} {
			for i := range elections {
				t.Run(fmt.Sprintf("ReleaseOnCancel=%v/%d", release, i), func(t *testing.T) {
					t.Parallel()
					m := newMixed(t, release)
					for range rounds {
						m.round(t)
						changes.add(5)
					}
				})
			}
		}
	})
	t.Logf("%d forced changes", changes.n)
	if changes.n < 100 {
		t.Errorf("%d forced changes, want at least 100", changes.n)
	}
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
}

// mixed is an election with candidates of both kinds.
type mixed struct {
	election *harness.Election
	witness  *harness.Witness
	ours     []*harness.Sidecar
	theirs   []*peer
}

func newMixed(t *testing.T, release bool) *mixed {
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Flags = []string{"--foreign-grace", mixedGrace.String()}
	e.Ship(t)
	m := &mixed{election: e, ours: e.StartAll(t, 2)}
	m.witness = watch(t, m.ours...)
	client, err := kubernetes.NewForConfig(e.Access.Config())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		m.theirs = append(m.theirs, &peer{
			name: fmt.Sprintf("peer-%d", i), release: release, client: client, election: e, witness: m.witness,
		})
	}
	t.Cleanup(func() {
		for _, p := range m.theirs {
			p.stop()
		}
	})
	harness.AwaitLeader(t, mixedDuration+mixedGrace+slack, m.ours...)
	for _, p := range m.theirs {
		p.start(t)
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
	first := m.theirsLead(t)

	first.stop()
	second := m.theirsLead(t)
	first.start(t)

	for _, s := range m.ours {
		s.Start(t, m.election)
	}
	first.stop()
	second.stop()
	frozen := m.oursLeads(t)

	frozen.Freeze(t)
	for _, p := range m.theirs {
		p.start(t)
	}
	m.moves(t, frozen.State().Identity)
	frozen.Wake(t)

	for _, p := range m.theirs { // back to the start: one of ours leads, theirs stand by
		p.stop()
	}
	m.oursLeads(t)
	for _, p := range m.theirs {
		p.start(t)
	}
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

func (m *mixed) theirsLead(t *testing.T) *peer {
	t.Helper()
	var leader *peer
	harness.Eventually(t, bound, "one of client-go's leads", func() bool {
		for _, p := range m.theirs {
			if p.leads() {
				leader = p
				return true
			}
		}
		return false
	})
	return leader
}

// peer is a candidate of client-go's elector, in this process. As a program in production would, it runs until it
// loses the lead or is stopped; unlike one, it then campaigns again.
type peer struct {
	name     string
	release  bool
	client   kubernetes.Interface
	election *harness.Election
	witness  *harness.Witness

	mu      sync.Mutex
	leading bool
	cancel  context.CancelFunc
	joined  sync.WaitGroup
}

func (p *peer) leads() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leading
}

// start campaigns until stop.
func (p *peer) start(t *testing.T) {
	quiet := klog.NewContext(context.WithoutCancel(t.Context()), klog.Logger{})
	ctx, cancel := context.WithCancel(quiet)
	p.cancel = cancel
	p.joined.Go(func() {
		for ctx.Err() == nil {
			p.campaign(ctx)
		}
	})
}

// stop ends the campaign, by releasing where the peer does so, and waits until its callbacks are done.
func (p *peer) stop() {
	if p.cancel != nil {
		p.cancel()
		p.joined.Wait()
		p.cancel = nil
	}
}

// campaign runs one elector to its end. Its term runs from the start callback to the stop callback or the end of
// the context that it hands out, whichever comes first.
func (p *peer) campaign(ctx context.Context) {
	started := make(chan struct{})
	stopped := make(chan struct{})
	var work sync.WaitGroup
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: p.election.Namespace, Name: p.election.Lease},
			Client:     p.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: p.name},
		},
		LeaseDuration: mixedDuration, RenewDeadline: peerDeadline, RetryPeriod: peerRetry,
		ReleaseOnCancel: p.release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				from := p.witness.Now()
				close(started)
				defer work.Done()
				if ctx.Err() != nil {
					return // asked to stop before it was asked to start
				}
				p.setLeading(true)
				select {
				case <-ctx.Done():
				case <-stopped:
				}
				p.setLeading(false)
				// One name for all of theirs: whether they overlap among themselves is not ours to judge.
				p.witness.AddTerm(harness.Term{Replica: "client-go", Channel: p.name, From: from, To: p.witness.Now()})
			},
			OnStoppedLeading: func() { close(stopped) },
		},
	})
	if err != nil {
		panic(err) // the timings above are constants that client-go accepts
	}
	work.Add(1)
	elector.Run(ctx)
	select {
	case <-started:
		work.Wait()
	case <-time.After(100 * time.Millisecond): // it never led; a start callback just launched would be here by now
	}
}

func (p *peer) setLeading(leading bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leading = leading
}
