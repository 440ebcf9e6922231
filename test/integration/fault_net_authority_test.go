//go:build linux

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestAuthorityRotation gives the API server a certificate of a new authority under three replicas, twice. Where their
// CA file follows before a term has run out, it goes on; where it follows later, the leader stops by its validUntil,
// and all go on without a restart.
func TestAuthorityRotation(t *testing.T) {
	t.Parallel()
	cluster := harness.Start(t)
	e := harness.NewElection(t, cluster, 9*time.Second)
	e.Ship(t)
	replicas, lines := startVia(t, e, cluster.Proxy)
	witness := harness.Watch(t, replicas...)
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
	_, before := leader.Told()
	trust = cluster.RotateAuthority(t)
	awaitRenewal(t, leader)
	resetAll(lines)
	checkLossByDeadline(t, leader, now().Add(e.Duration))
	for _, s := range replicas {
		if told, _ := s.Told(); told || !s.Alive() {
			t.Errorf("%s without trust in the API server: leads %v, lives %v, want no and yes", s.Pod, told, s.Alive())
		}
	}
	trust()
	heir := awaitAgreement(t, 2*e.Duration+slack, replicas)
	if _, after := heir.Told(); !greater(after, before) {
		t.Errorf("token %s after token %s: want a greater one", after, before)
	}
	witness.Verdict(t)
	checkNoTakeBeforeExpiry(t, e, since)
}

func resetAll(lines map[*harness.Sidecar]*harness.Proxy) {
	for _, line := range lines {
		line.Reset()
	}
}
