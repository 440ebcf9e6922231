//go:build linux

package examples

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// TestExamplesFollowTheSidecar has two replicas of each example work in turn: the leader's stops and reports it on a
// step-down, so that the other starts at once; and it stops by validUntil when its sidecar is killed.
func TestExamplesFollowTheSidecar(t *testing.T) {
	eachWay(t, func(t *testing.T, l language, w way) {
		script := newTranscript(t)
		replicas := startReplicas(t, 2, l, w, script)
		first, before := awaitLeader(t, script, replicas...)
		heir := other(first, replicas)

		first.StepDown()
		because := first.AwaitLog("the workload counts as stopped")
		if l.seenBy(w) == "" {
			if !strings.Contains(because, "it reported so") {
				t.Errorf("the worker did not report that its work has stopped: %s", because)
			}
		} else if !strings.Contains(because, "it reported so") && !strings.Contains(because, l.seenBy(w)) {
			t.Errorf("the worker was not seen to stop, nor did it report: %s", because)
		}
		_, state := awaitLeader(t, script, heir)
		if !less(before.Token, state.Token) {
			t.Errorf("token %s after token %s; want a greater one", state.Token, before.Token)
		}

		send(t, syscall.SIGKILL, heir.PID())
		wantEndOfWork(t, script, heir)
		wantOneAtWork(t, script)
	})
}

// TestKilledWorkers kills the leader's worker of each language that shows its work: the Lease is released at once, though
// nothing of the worker could say so, and the other replica works.
func TestKilledWorkers(t *testing.T) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			script := newTranscript(t)
			replicas := startReplicas(t, 2, l, byFile, script)
			first, before := awaitLeader(t, script, replicas...)
			wantWork(t, script, script.len(), before.Token) // it has shown that it works before
			first.AwaitLog("the workload holds")            // and the sidecar has seen it
			first.worker.signal(syscall.SIGKILL)
			killed := bootclock.System{}.Now()
			first.AwaitLog("the workload has ended while this replica leads")
			if because := first.AwaitLog("the workload counts as stopped"); !strings.Contains(because, l.seenBy(byFile)) {
				t.Errorf("its end was not seen: %s", because)
			}
			released := bootclock.System{}.Now().Sub(killed)
			t.Logf("released within %s of the kill, as the log shows", released)
			awaitLeader(t, script, other(first, replicas))
			wantOneAtWork(t, script)
		})
	}
}

// wantEndOfWork has the replica's worker stop by the validUntil that its sidecar, now dead or frozen, wrote last.
func wantEndOfWork(t *testing.T, script *transcript, r *replica) {
	t.Helper()
	time.Sleep(50 * time.Millisecond) // what was written before the signal arrived
	last := r.Leadership()
	if last.Token == "" {
		t.Fatal("the term was over before the fault: the machine is too slow for this test")
	}
	eventually(t, "the term is over", func() bool { return !r.Leadership().IsLeader })
	time.Sleep(killMargin + 500*time.Millisecond)
	for _, l := range script.from(0) {
		if late := l.at.Sub(last.ValidUntil); tokenOf(l.text) == r.token(last) && !change(l.text) && late > killMargin {
			t.Errorf("it works %s after its validUntil: %s\n%s", late, l.text, script)
		}
	}
}

// less compares tokens as numbers of any length.
func less(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }
