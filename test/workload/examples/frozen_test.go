//go:build linux

package examples

import (
	"strings"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestFrozenSidecar stops the leader's sidecar alone, for longer than its Lease: the worker stops by validUntil without
// a signal from it, the other replica takes over, and what the sidecar says on waking starts nobody.
func TestFrozenSidecar(t *testing.T) {
	bothWays(t, func(t *testing.T, _ way, script *transcript, replicas []*replica) {
		frozen, _ := awaitLeader(t, script, replicas...)
		send(t, syscall.SIGSTOP, frozen.PID())
		wantEndOfWork(t, script, frozen)
		awaitLeader(t, script, other(frozen, replicas))
		send(t, syscall.SIGCONT, frozen.PID())
		frozen.AwaitLog("standing by")
		wantStays(t, script, other(frozen, replicas))
	})
}

// TestFrozenApp stops the leader's worker in the middle of a piece of work, and asks for a handover. Nobody can notify
// the worker, so the Lease is kept until its validUntil; on waking it looks before it works, and stands by. Where it is
// seen by the run lock, the Lease is kept beyond that, until the worker is killed.
func TestFrozenApp(t *testing.T) {
	bothWays(t, func(t *testing.T, w way, script *transcript, replicas []*replica) {
		if w == byFile {
			frozenUnderLock(t, script, replicas)
			return
		}
		frozen, before := awaitLeader(t, script, replicas...)
		wantWork(t, script, script.len(), before.Token) // it sleeps in that piece now
		frozen.worker.signal(syscall.SIGSTOP)
		frozen.StepDown()
		if because := frozen.AwaitLog("the workload counts as stopped"); !strings.Contains(because, "validUntil has passed") {
			t.Errorf("a frozen worker counts as stopped: %s", because)
		}
		awaitLeader(t, script, other(frozen, replicas))
		frozen.worker.signal(syscall.SIGCONT)
		wantStays(t, script, other(frozen, replicas))
	})
}

func frozenUnderLock(t *testing.T, script *transcript, replicas []*replica) {
	frozen, before := awaitLeader(t, script, replicas...)
	heir := other(frozen, replicas)
	wantWork(t, script, script.len(), before.Token)
	frozen.worker.signal(syscall.SIGSTOP)
	frozen.StepDown()
	eventually(t, "the term is over", func() bool { return !bootclock.System{}.Now().Before(before.ValidUntil) })
	harness.Throughout(t, 2*leaseDuration, "no other replica leads while the frozen worker holds the run lock", func() bool {
		return !heir.Leadership().IsLeader
	})
	frozen.worker.signal(syscall.SIGKILL)
	if because := frozen.AwaitLog("the workload counts as stopped"); !strings.Contains(because, "run-lock") {
		t.Errorf("the killed worker was not seen to stop: %s", because)
	}
	awaitLeader(t, script, heir)
	wantOneAtWork(t, script)
}

// TestFrozenNode stops the leader's sidecar and its worker, in the middle of a piece of work, for longer than the
// Lease: woken together, the worker looks before it works, and stands by.
func TestFrozenNode(t *testing.T) {
	bothWays(t, func(t *testing.T, _ way, script *transcript, replicas []*replica) {
		frozen, before := awaitLeader(t, script, replicas...)
		wantWork(t, script, script.len(), before.Token) // it sleeps in that piece now
		frozen.worker.signal(syscall.SIGSTOP)
		send(t, syscall.SIGSTOP, frozen.PID())
		awaitLeader(t, script, other(frozen, replicas))
		frozen.worker.signal(syscall.SIGCONT)
		send(t, syscall.SIGCONT, frozen.PID())
		wantStays(t, script, other(frozen, replicas))
	})
}

// bothWays runs the test with two replicas of the worker in Go, for each way of asking.
func bothWays(t *testing.T, test func(*testing.T, way, *transcript, []*replica)) {
	for _, w := range []way{byFile, byHTTP} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			script := newTranscript(t)
			test(t, w, script, startReplicas(t, 2, golang, w, script))
		})
	}
}

// wantStays has the leader's worker go on alone, after the other one has said that it stands by.
func wantStays(t *testing.T, script *transcript, leader *replica) {
	t.Helper()
	token := leader.token(leader.Leadership())
	from := script.len()
	script.await(t, patience, 0, "the other worker stands by", func() func(string) bool {
		count := 0
		return func(l string) bool {
			if l == "standing by" {
				count++
			}
			return count > 2 // both said so once, before anybody led
		}
	}())
	for range 5 {
		from = wantWork(t, script, from, token)
	}
	wantOneAtWork(t, script)
}
