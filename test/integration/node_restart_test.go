//go:build linux

package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestRestartedInATerm is fault 17: the sidecar is killed and started again, at several phases of its renewals. Where the
// term still runs it leads on with a new token, and nobody leads in between.
func TestRestartedInATerm(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Ship(t)
	replicas := e.StartAll(t, 2)
	witness := watch(t, replicas...)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	for _, phase := range []time.Duration{0, 900 * time.Millisecond, 1790 * time.Millisecond} {
		awaitRenewal(t, leader)
		time.Sleep(phase)
		_, before := leader.Leads()
		leader.Stop(0)
		leader.Start(t, e)
		harness.Eventually(t, slack, fmt.Sprintf("killed %v after a renewal, it leads with a new token", phase), func() bool {
			leads, after := leader.Leads()
			return leads && greater(after, before)
		})
	}
	for _, term := range witness.Terms("state") {
		if term.Replica != leader.Pod {
			t.Errorf("%s led in between: %+v", term.Replica, term)
		}
	}
}

// TestRestartedInADrain is fault 17 in a handover: the sidecar is killed and started again while it waits for its app, and
// around the release. It does not resume what it was giving up: it says "not leading" until it is elected anew.
func TestRestartedInADrain(t *testing.T) {
	t.Parallel()
	const drain = 300 * time.Millisecond // the release follows
	for _, after := range []time.Duration{0, drain / 2, drain - 10*time.Millisecond, drain, drain + 5*time.Millisecond, drain + 20*time.Millisecond} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			e, replicas, leader := elect(t, harness.Shared(t), 5*time.Second, 2, "--drain-timeout", drain.String())
			awaitRenewal(t, leader)
			checkDraining(t, leader)
			time.Sleep(after)
			leader.Stop(0)
			killed := now()
			leader.Start(t, e)
			next := harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
			released := strings.Contains(next.Log(), "the last holder released it")
			t.Logf("killed %v into the drain, before the release: %v; %s leads next", after, !released, next.Pod)
			if wait := sent(e, next).Sub(killed); !released && next == leader && wait < e.Duration {
				t.Errorf("the restarted sidecar leads again after %v, want it to wait like anyone for %v", wait, e.Duration)
			}
		})
	}
}

// TestLossEndsTheProcess cuts a leader's line under --on-loss exit: once the term has run out, and every signal is applied, the
// sidecar ends with status 4. A planned handover does not end it.
func TestLossEndsTheProcess(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 6*time.Second)
	e.ShipFree(t)
	work := harness.NewWork(t)
	s, line := prepareBehind(t, e, "web-0")
	s.Args = append(append(s.Args, "--on-loss", "exit", "--"), work.Command(t, s.Pod, nil, "-child")...)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	work.Await(t, slack, s.Pod)
	heir := startHeir(t, e, work)
	watch(t, s, heir)

	if out, code := s.Ask(t, "step-down", "--http-address", s.HTTP); code != 0 {
		t.Fatalf("step-down: status %d, want 0\n%s", code, out)
	}
	harness.AwaitLeader(t, e.Duration+slack, heir)
	if !s.Alive() {
		t.Fatal("a planned handover has ended the process")
	}
	heir.Terminate(t)
	harness.AwaitLeader(t, e.Duration+slack, s)
	work.Await(t, slack, s.Pod)
	heir.Start(t, e)

	awaitRenewal(t, s)
	line.Cut()
	s.AwaitExit(t, e.RenewDeadline()+slack, 4)
	ended := now()
	if leads, _ := s.Leads(); leads || s.HasLeaderFile() {
		t.Error("its files still say that it leads")
	}
	for _, term := range work.Terms(t) {
		if term.Replica == s.Pod && ended.Before(term.To) {
			t.Error("its command works on after its end")
		}
	}
	work.Await(t, 2*e.Duration+slack, heir.Pod)
	work.Verdict(t)
}

// TestSIGTERMComesBeforeTheAppEnds sends SIGTERM to a sidecar two seconds before its app is killed, as a kubelet does when
// the grace period ends, and as a failed liveness probe of the sidecar does. The signal proves nothing about the app: where
// nothing can see it, the Lease is kept until the last validUntil that was published to it.
func TestSIGTERMComesBeforeTheAppEnds(t *testing.T) {
	t.Parallel()
	for _, placement := range []string{"native", "classic"} {
		t.Run(placement, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
			e.ShipFree(t)
			work := harness.NewWork(t)
			s := e.Prepare(t, "web-0")
			s.Args = append(s.Args, "--placement", placement)
			s.Start(t, e)
			harness.AwaitLeader(t, e.Duration+slack, s)
			app := work.Start(t, s.Pod, harness.Conduct{"Stop": time.Minute}, "-child")
			work.Await(t, slack, s.Pod)
			startHeir(t, e, work)

			awaitRenewal(t, s)
			strike(t, syscall.SIGTERM, s.PID())
			time.Sleep(2 * time.Second)
			app.Stop(0)
			work.Await(t, e.Duration+slack, "web-1")
			s.AwaitExit(t, e.Duration+slack, 0)
			work.Verdict(t)
		})
	}
}
