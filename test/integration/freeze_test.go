//go:build linux

package integration

import (
	"net/http"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestFrozenLeader stops the leading sidecar for longer than its Lease: nothing it left behind says "leader" past
// its validUntil, and neither does its first word on waking.
func TestFrozenLeader(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	replicas := e.StartAll(t, 3)
	witness := harness.Watch(t, replicas...)
	frozen := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	_, before := frozen.Told()
	if out, code := frozen.Ask(t, "is-leader", "--signal-dir", frozen.Dir); code != 0 {
		t.Errorf("is-leader on the leader: status %d, want 0\n%s", code, out)
	}
	frozen.Freeze(t)
	deadline := frozen.State().ValidUntil

	heir := harness.AwaitLeader(t, 2*e.Duration+slack, harness.Others(replicas, frozen)...)
	if now().Before(deadline) {
		t.Errorf("%s leads while the frozen leader's term runs", heir.Pod)
	}
	if out, code := frozen.Ask(t, "is-leader", "--signal-dir", frozen.Dir); code != 1 {
		t.Errorf("is-leader on the frozen leader's directory past its validUntil: status %d, want 1\n%s", code, out)
	}
	if told, _ := frozen.ToldByFile(); told {
		t.Error("the frozen leader's file is still fresh")
	}

	// The question is asked while it sleeps, and lies in its socket as it wakes: its answer is the first thing said.
	answer := make(chan int, 1)
	go func() {
		status, _ := frozen.Leader()
		answer <- status
	}()
	time.Sleep(200 * time.Millisecond)
	frozen.Wake(t)
	if status := <-answer; status != http.StatusServiceUnavailable {
		t.Errorf("the first answer on waking is %d, want %d", status, http.StatusServiceUnavailable)
	}
	harness.Eventually(t, slack, "the woken sidecar names its successor and has no leader file", func() bool {
		status, told := frozen.Leader()
		return status == http.StatusServiceUnavailable && told.Leader == heir.Pod && !frozen.HasLeaderFile()
	})
	if _, after := heir.Told(); !greater(after, before) {
		t.Errorf("token %s after token %s: want a greater one", after, before)
	}
	witness.Verdict(t)
}
