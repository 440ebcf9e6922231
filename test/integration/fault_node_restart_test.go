//go:build linux

package integration

import (
	"fmt"
	"strings"
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
	witness := harness.Watch(t, replicas...)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	for _, phase := range []time.Duration{0, 900 * time.Millisecond, 1790 * time.Millisecond} {
		awaitRenewal(t, leader)
		time.Sleep(phase)
		_, before := leader.Told()
		leader.Stop(0)
		leader.Start(t, e)
		harness.Eventually(t, slack, fmt.Sprintf("killed %v after a renewal, it leads with a new token", phase), func() bool {
			told, after := leader.Told()
			return told && greater(after, before)
		})
	}
	for _, term := range witness.Terms("state") {
		if term.Replica != leader.Pod {
			t.Errorf("%s led in between: %+v", term.Replica, term)
		}
	}
	witness.Verdict(t)
}

// TestRestartedInADrain is fault 17 in a handover: the sidecar is killed and started again while it waits for its app, and
// around the release. It does not resume what it was giving up: it says "not leading" until it is elected anew.
func TestRestartedInADrain(t *testing.T) {
	t.Parallel()
	const drain = 300 * time.Millisecond // the release follows
	for _, after := range []time.Duration{0, drain / 2, drain - 10*time.Millisecond, drain, drain + 5*time.Millisecond, drain + 20*time.Millisecond} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			e.Flags = []string{"--drain-timeout", drain.String()}
			replicas := e.StartAll(t, 2)
			witness := harness.Watch(t, replicas...)
			leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
			awaitRenewal(t, leader)
			_, before := leader.Told()
			checkDraining(t, leader)
			time.Sleep(after)
			leader.Stop(0)
			killed := now()
			leader.Start(t, e)
			next := harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
			released := strings.Contains(next.Log(), "the last holder released it")
			t.Logf("killed %v into the drain, before the release: %v; %s leads next", after, !released, next.Pod)
			if _, token := next.Told(); !greater(token, before) {
				t.Errorf("token %s after token %s: want a greater one", token, before)
			}
			if wait := sent(e, next).Sub(killed); !released && next == leader && wait < e.Duration {
				t.Errorf("the restarted sidecar leads again after %v, want it to wait like anyone for %v", wait, e.Duration)
			}
			witness.Verdict(t)
		})
	}
}
