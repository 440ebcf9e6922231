//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestCrowd hands over and crashes among 2, 3, 10 and 50 replicas (fault 1): there is one winner each time, one term
// follows the other, and the races lost are fewer than there are candidates.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 10, 50} {
		t.Run(fmt.Sprintf("%d replicas", n), func(t *testing.T) {
			t.Parallel()
			newCrowd(t, n).run(t)
		})
	}
}

// crowd is an election of many.
type crowd struct {
	election *harness.Election
	replicas []*harness.Sidecar
	witness  *harness.Witness
	leader   *harness.Sidecar
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Flags = []string{"--drain-timeout", "1ms"}
	e.Ship(t)
	c := &crowd{election: e}
	for i := range n {
		s := e.Prepare(t, fmt.Sprintf("web-%d", i))
		s.Binary = harness.ShippedBinary(t) // 16 MiB each
		c.replicas = append(c.replicas, s)
	}
	for _, s := range c.replicas {
		s.Start(t, e)
	}
	c.witness = harness.Watch(t)
	c.witness.AddCrowd(c.replicas...)
	return c
}

func (c *crowd) run(t *testing.T) {
	t.Helper()
	c.follow(t, "first election", func() {})
	c.follow(t, "SIGTERM", func() {
		c.leader.Terminate(t)
		c.leader.Start(t, c.election)
	})
	c.follow(t, "step-down", func() {
		if status := c.leader.Post("/step-down"); status != http.StatusAccepted {
			t.Errorf("POST /step-down: status %d, want %d", status, http.StatusAccepted)
		}
	})
	c.follow(t, "SIGKILL", func() { c.leader.Stop(0) })
	c.witness.Verdict(t)
}

// follow lets the leader end its term in some way and waits for the next one, which is the very next, and counts the
// races that were lost for it.
func (c *crowd) follow(t *testing.T, how string, end func()) {
	t.Helper()
	was, transitions, since := "", int32(0), time.Now()
	if c.leader != nil {
		_, was = c.leader.Told()
		transitions = *c.election.Read(t).Spec.LeaseTransitions
	}
	end()
	next, _ := nextTerm(t, c.election, was, c.replicas)
	c.leader = awaitAgreement(t, slack+slack, alive(c.replicas))
	if c.leader != next {
		t.Errorf("%s: %s led first, but %s is named by all", how, next.Pod, c.leader.Pod)
	}
	if got := *c.election.Read(t).Spec.LeaseTransitions; got != transitions+1 {
		t.Errorf("%s: transitions went from %d to %d, want one more", how, transitions, got)
	}
	time.Sleep(time.Second) // a race is over before all who lost it have been told
	lost := len(c.election.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.Namespace == c.election.Namespace && r.Verb == "update" && r.Code == http.StatusConflict
	}))
	t.Logf("%s: %d of %d lost the race", how, lost, len(c.replicas))
	if lost >= len(c.replicas) {
		t.Errorf("%s: %d conflicts among %d replicas, want fewer than one each", how, lost, len(c.replicas))
	}
}

func alive(replicas []*harness.Sidecar) []*harness.Sidecar {
	var living []*harness.Sidecar
	for _, s := range replicas {
		if s.Alive() {
			living = append(living, s)
		}
	}
	return living
}
