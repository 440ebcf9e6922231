//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
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
	c.witness = watch(t)
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
		c.leader.StepDown(t)
	})
	c.follow(t, "SIGKILL", func() { c.leader.Stop(0) })
}

// follow lets the leader end its term in some way and waits for the next one, which is the very next, and counts the
// races that were lost for it.
func (c *crowd) follow(t *testing.T, how string, end func()) {
	t.Helper()
	was, transitions, since := "", int32(0), time.Now()
	if c.leader != nil {
		_, was = c.leader.Leads()
		transitions = *c.election.Read(t).Spec.LeaseTransitions
	}
	end()
	next, _ := nextTerm(t, c.election, was, c.replicas)
	living := slices.DeleteFunc(slices.Clone(c.replicas), func(s *harness.Sidecar) bool { return !s.Alive() })
	c.leader = awaitAgreement(t, slack+slack, living)
	if c.leader != next {
		t.Errorf("%s: %s led first, but %s is named by all", how, next.Pod, c.leader.Pod)
	}
	if got := *c.election.Read(t).Spec.LeaseTransitions; got != transitions+1 {
		t.Errorf("%s: transitions went from %d to %d, want one more", how, transitions, got)
	}
	time.Sleep(time.Second) // a race is over before all who lost it have heard of it
	lost := len(c.election.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.Namespace == c.election.Namespace && r.Verb == "update" && r.Code == http.StatusConflict
	}))
	t.Logf("%s: %d of %d lost the race", how, lost, len(c.replicas))
	if lost >= len(c.replicas) {
		t.Errorf("%s: %d conflicts among %d replicas, want fewer than one each", how, lost, len(c.replicas))
	}
}

// TestPeerProcesses lets one of ours and one of client-go's electors, each a process, take turns (fault 12): every
// change is forced by another fault of whoever leads. Never do both lead at once, and ours never
// takes the Lease from a foreign holder before the grace is over. TestClientGoPeers forces many more changes.
func TestPeerProcesses(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v0.36", "v0.37"} {
		for _, release := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, ReleaseOnCancel=%v", version, release), func(t *testing.T) {
				t.Parallel()
				newTurns(t, version, release).takeAll(t)
			})
		}
	}
}

// turns is an election of two: one of ours, one of theirs.
type turns struct {
	election *harness.Election
	release  bool
	ours     *harness.Sidecar
	theirs   *harness.Peer
}

func newTurns(t *testing.T, version string, release bool) *turns {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Flags = []string{"--foreign-grace", mixedGrace.String()}
	e.Ship(t)
	w := &turns{election: e, release: release, ours: e.Start(t, "web-0")}
	witness := watch(t, w.ours)
	harness.AwaitLeader(t, bound, w.ours)
	w.theirs = e.StartPeer(t, "peer", harness.PeerOptions{
		Version: version, ReleaseOnCancel: release,
		LeaseDuration: mixedDuration, RenewDeadline: peerDeadline, RetryPeriod: peerRetry,
	})
	witness.AddPeer(w.theirs)
	return w
}

// takeAll begins with ours leading and ends so.
func (w *turns) takeAll(t *testing.T) {
	t.Log("ours is asked to end")
	w.ours.Terminate(t)
	theirsLead(t, w.theirs)
	w.ours.Start(t, w.election)

	t.Log("theirs is killed")
	w.oursFollow(t, mixedDuration+mixedGrace, func() { w.theirs.Stop(0) })
	w.theirs.Start(t)

	t.Log("ours is killed")
	w.ours.Stop(0)
	theirsLead(t, w.theirs)
	w.ours.Start(t, w.election)

	t.Log("theirs is frozen")
	w.oursFollow(t, mixedDuration+mixedGrace, func() { w.theirs.Freeze(t) })
	w.theirs.Wake(t)
	w.theirs.AwaitExit(t, bound, 1) // it has lost, and says so at last
	w.theirs.Start(t)

	t.Log("ours is frozen")
	w.ours.Freeze(t)
	theirsLead(t, w.theirs)
	w.ours.Wake(t)

	t.Log("theirs is asked to end")
	wait := mixedDuration + mixedGrace
	if w.release {
		wait = mixedDuration // it blanks the holder, which is no release of ours
	}
	w.oursFollow(t, wait, func() {
		strike(t, syscall.SIGTERM, w.theirs.PID())
		w.theirs.AwaitExit(t, bound, 0)
	})
}

// oursFollow makes theirs stop to lead, and checks that ours took the Lease so long after their last write.
func (w *turns) oursFollow(t *testing.T, wait time.Duration, fault func()) {
	t.Helper()
	before := version(t, w.election)
	harness.Eventually(t, slack, "theirs renews", func() bool { return version(t, w.election) != before })
	fault()
	last := w.election.Read(t).Spec.RenewTime.Time // before it was sent
	written := now().Add(-time.Since(last))
	harness.AwaitLeader(t, bound, w.ours)
	const slewed = 20 * time.Millisecond // the renew time is on the wall clock, which may run a little slower for a while
	if waited := sent(w.election, w.ours).Sub(written); waited < wait-slewed {
		t.Errorf("ours took the Lease %v after the last write of theirs, want at least %v", waited, wait)
	}
}
