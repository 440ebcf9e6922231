//go:build linux

package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// electorKind is a way to elect, with its timings.
type electorKind struct {
	subject  result.Subject
	duration time.Duration
	// deadline and retry are client-go's; 0 for ours, which has its defaults for the duration.
	deadline, retry time.Duration
	// before: another build of ours, which SIDECAR_BEFORE names.
	before bool
}

var electorKinds = []electorKind{
	{subject: result.Sidecar, duration: 15 * time.Second},
	{subject: result.ClientGo, duration: 15 * time.Second, deadline: 10 * time.Second, retry: 2 * time.Second},
	{subject: result.Short, duration: 5 * time.Second},
	{subject: result.Tuned, duration: 5 * time.Second, deadline: 3 * time.Second, retry: time.Second},
}

func (k electorKind) ours() bool { return k.retry == 0 }

// binary is the program of ours.
func (k electorKind) binary(t *testing.T) string {
	if k.before {
		return harness.BeforeBinary()
	}
	return harness.ShippedBinary(t)
}

// withBefore adds another build of ours, where one is named.
func withBefore(kinds []electorKind) []electorKind {
	if harness.BeforeBinary() == "" {
		return kinds
	}
	return append(slices.Clip(kinds), electorKind{subject: result.Before, duration: 15 * time.Second, before: true})
}

// arena is what all trials share: a fault of it hits all of them at the same instant.
type arena struct {
	cluster *harness.Cluster
	storm   *harness.Storm
}

// trial is one election, with what befell it.
type trial struct {
	arena    *arena
	kind     electorKind
	election *harness.Election
	work     *harness.Work // of ours
	started  int
	past     []pod // those that are over, too

	mu          sync.Mutex
	pods        []pod
	occurrences []occurrence
}

// occurrence is a fault, from before it began to when all was well again.
type occurrence struct {
	fault    string
	from, to bootclock.Instant
}

// newTrial starts an election of that many replicas.
func (a *arena) newTrial(t *testing.T, kind electorKind, replicas int) *trial {
	c := &trial{arena: a, kind: kind, election: harness.NewElection(t, a.cluster, kind.duration), work: harness.NewWork(t)}
	if kind.ours() {
		c.election.ShipFree(t)
	} else {
		c.election.Ship(t)
	}
	for range replicas {
		c.start(t)
	}
	return c
}

// start starts one more replica, under a new name.
func (c *trial) start(t *testing.T) pod {
	name := fmt.Sprintf("web-%d", c.started)
	c.started++
	var p pod
	if c.kind.ours() {
		p = c.startSidecar(t, name)
	} else {
		p = c.startPeer(t, name)
	}
	c.past = append(c.past, p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods = append(c.pods, p)
	return p
}

// forget takes a pod that is over off the list.
func (c *trial) forget(p pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods = slices.DeleteFunc(c.pods, func(other pod) bool { return other == p })
}

// leader returns the one that leads; nil where none does, or more than one.
func (c *trial) leader() pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	var leader pod
	for _, p := range c.pods {
		switch {
		case !p.leads():
		case leader != nil:
			return nil
		default:
			leader = p
		}
	}
	return leader
}

const (
	// steady is for how long one must have led alone until all counts as well.
	steady = 2 * time.Second
	// calmBound is how long that may take after a fault.
	calmBound = 90 * time.Second
)

// awaitCalm waits until one replica leads alone and goes on leading, and the others could take over.
func (c *trial) awaitCalm(t *testing.T, why string) pod {
	var leader pod
	var since time.Time
	if !harness.Within(calmBound, 50*time.Millisecond, func() bool {
		if l := c.leader(); l == nil || l != leader {
			leader, since = l, time.Now()
		}
		return leader != nil && time.Since(since) >= steady
	}) {
		t.Errorf("%s: %s: nobody leads for %v", c.kind.subject, why, calmBound)
		return nil
	}
	for _, p := range slices.Clone(c.pods) {
		if !harness.Within(calmBound, 50*time.Millisecond, p.ready) {
			t.Errorf("%s: %s: a replica is not ready for %v", c.kind.subject, why, calmBound)
		}
	}
	return leader
}

// suffer has a fault befall the election, at some moment between two renewals, and notes it under its names.
func (c *trial) suffer(t *testing.T, do func(t *testing.T, c *trial, leader pod), faults ...string) {
	if c.awaitCalm(t, "before "+faults[0]) == nil {
		return
	}
	time.Sleep(rand.N(3 * time.Second))
	leader := c.leader()
	if leader == nil {
		t.Errorf("%s: before %s: nobody leads any more", c.kind.subject, faults[0])
		return
	}
	from := bootclock.System{}.Now()
	do(t, c, leader)
	c.awaitCalm(t, "after "+faults[0])
	c.note(from, faults...)
}

// note notes that a fault, by all its names, began then and is over now.
func (c *trial) note(from bootclock.Instant, faults ...string) {
	for _, fault := range faults {
		c.occurrences = append(c.occurrences, occurrence{fault, from, bootclock.System{}.Now()})
	}
}

// terms returns when the replicas worked, by their own journals.
func (c *trial) terms(t *testing.T) (terms []harness.Term) {
	if c.kind.ours() {
		return c.work.Spells(t)
	}
	for _, p := range c.past {
		terms = append(terms, p.(*peerPod).Terms(t)...)
	}
	return terms
}

// account adds what each fault cost this election to the figures.
func (c *trial) account(t *testing.T, add func(fault string, leaderless, overlap time.Duration)) {
	terms := c.terms(t)
	for _, o := range c.occurrences {
		without, twice := harness.Count(terms, o.from, o.to)
		add(o.fault, without, twice)
	}
}
