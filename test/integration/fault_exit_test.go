//go:build linux

package integration

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestLossEndsTheProcess cuts a leader's line under --on-loss exit: once the term has run out, and everything was told, the
// sidecar ends with status 4. A planned handover does not end it.
func TestLossEndsTheProcess(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 6*time.Second)
	e.ShipFree(t)
	work, line := harness.NewWork(t), e.Cluster.Proxy(t)
	s := e.Prepare(t, "web-0")
	s.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
	s.Args = append(append(s.Args, "--on-loss", "exit", "--"), work.Command(s.Pod)...)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	work.Await(t, slack, s.Pod)
	heir := startHeir(t, e, work)
	witness := harness.Watch(t, s, heir)

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
	if told, _ := s.Told(); told || s.HasLeaderFile() {
		t.Error("its files still say that it leads")
	}
	for _, term := range work.Terms(t) {
		if term.Replica == s.Pod && ended.Before(term.To) {
			t.Error("its command works on after its end")
		}
	}
	work.Await(t, 2*e.Duration+slack, heir.Pod)
	work.Verdict(t)
	witness.Verdict(t)
}
