//go:build linux

package integration

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestOutage takes the API server away at the default timings: for a time that a leader bridges, and for longer.
func TestOutage(t *testing.T) {
	t.Parallel()
	cluster := harness.Start(t)
	e, replicas, leader := elect(t, cluster, 15*time.Second, 3)
	unchanged := steady(leader)
	t.Log("the API server hangs for 5 s")
	awaitRenewal(t, leader)
	cluster.FreezeAPI(t)
	harness.Throughout(t, 5*time.Second, "the same leader while the API server hangs", unchanged)
	cluster.WakeAPI(t)
	harness.Throughout(t, 8*time.Second, "the same leader after a hang of 5 s", unchanged)

	t.Log("the API server crashes and comes back")
	leader = checkBridged(t, e, replicas, leader, func() {
		cluster.KillAPI(t)
		cluster.RestartAPI(t)
	})

	t.Log("the API server is away for 20 s")
	awaitRenewal(t, leader)
	gone := now()
	cluster.KillAPI(t)
	checkLossByDeadline(t, leader, gone.Add(20*time.Second))
	for _, s := range replicas {
		for path, want := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusOK, "/startupz": http.StatusOK} {
			if got := s.ProbeStatus(path); got != want {
				t.Errorf("%s in the outage: GET %s gives %d, want %d", s.Pod, path, got, want)
			}
		}
	}
	cluster.RestartAPI(t)
	back := now()
	harness.AwaitLeader(t, 15*time.Second, replicas...)
	t.Logf("a leader %v after the API server's return", now().Sub(back).Round(time.Millisecond))
	awaitAgreement(t, slack, replicas)
}

// checkBridged lets a part of the cluster crash and come back, which takes seconds, and checks that the leader leads on. Where the
// machine is too slow for that, who leads then is returned, and a test's next part must do.
func checkBridged(t *testing.T, e *harness.Election, replicas []*harness.Sidecar, leader *harness.Sidecar, crash func()) *harness.Sidecar {
	t.Helper()
	same := steady(leader)
	awaitRenewal(t, leader)
	gone := now()
	crash()
	if out := now().Sub(gone); out < e.RenewDeadline()-2*time.Second {
		harness.Throughout(t, e.RenewDeadline(), "the same leader after a crash", same)
	} else {
		t.Logf("it took %v to come back", out)
	}
	return harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
}

// awaitRenewal waits until the leader has just renewed, so that the whole of its validity lies ahead.
func awaitRenewal(t *testing.T, leader *harness.Sidecar) {
	t.Helper()
	before := leader.State().ValidUntil
	harness.Eventually(t, slack, "the leader renews", func() bool { return before.Before(leader.State().ValidUntil) })
}

// checkLossByDeadline watches a leader that cannot renew, until the given instant: nothing says "leader" from its
// validUntil on.
func checkLossByDeadline(t *testing.T, leader *harness.Sidecar, until bootclock.Instant) {
	t.Helper()
	deadline := leader.State().ValidUntil
	for ; now().Before(until); time.Sleep(5 * time.Millisecond) {
		if state := leader.State(); state.IsLeader {
			deadline = state.ValidUntil // a renewal that was under way as the API server died
		}
		look := now()
		late := look.Sub(deadline)
		if late < 0 {
			continue
		}
		if status, _ := leader.Leader(); status != http.StatusServiceUnavailable {
			t.Fatalf("GET /leader gives %d, %v past validUntil", status, late)
		}
		if leads, _ := leader.Leads(); leads {
			t.Fatalf("the document says leader %v past validUntil", late)
		}
		// Removing a file takes a moment; until then its time says that it is stale.
		if leader.HasLeaderFile() && late > time.Second {
			t.Fatalf("the leader file is still there %v past validUntil", late)
		}
	}
	if !deadline.Before(until) {
		t.Fatalf("validUntil was never reached: it is %v past the outage", deadline.Sub(until))
	}
}

// TestAuthorityRotation gives the API server a certificate of a new authority under three replicas, twice. Where their
// CA file follows before a term has run out, it goes on; where it follows later, the leader stops by its validUntil,
// and all go on without a restart.
func TestAuthorityRotation(t *testing.T) {
	t.Parallel()
	cluster := harness.Start(t)
	e := harness.NewElection(t, cluster, 9*time.Second)
	e.Ship(t)
	replicas, lines := startVia(t, e, cluster.Proxy)
	leader := awaitAgreement(t, e.Duration+slack, replicas)
	since := time.Now()

	t.Log("the CA file follows at once")
	trust := cluster.RotateAuthority(t)
	awaitRenewal(t, leader)
	same := steady(leader)
	resetAll(lines)
	harness.Eventually(t, e.RenewDeadline(), "the leader refuses the new certificate", func() bool {
		return len(linesWith(leader, "update", "certificate")) > 0
	})
	trust()
	harness.Throughout(t, e.RenewDeadline()*5/4, "the same term over the rotation", same)
	if !strings.Contains(leader.Log(), "certificate authority rotated") {
		t.Error("the leader's log does not say that the certificate authority rotated")
	}

	t.Log("the CA file follows after the term")
	trust = cluster.RotateAuthority(t)
	awaitRenewal(t, leader)
	resetAll(lines)
	checkLossByDeadline(t, leader, now().Add(e.Duration))
	for _, s := range replicas {
		if leads, _ := s.Leads(); leads || !s.Alive() {
			t.Errorf("%s without trust in the API server: leads %v, lives %v, want no and yes", s.Pod, leads, s.Alive())
		}
	}
	trust()
	awaitAgreement(t, 2*e.Duration+slack, replicas)
	checkNoTakeBeforeExpiry(t, e, since)
}

func resetAll(lines map[*harness.Sidecar]*harness.Proxy) {
	for _, line := range lines {
		line.Reset()
	}
}
