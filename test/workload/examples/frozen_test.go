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
	bothWays(t, func(p *pair, _ way) {
		send(p.t, syscall.SIGSTOP, p.leader.PID())
		p.wantEndOfWork(p.leader)
		p.awaitWork(p.heir)
		send(p.t, syscall.SIGCONT, p.leader.PID())
		p.leader.AwaitLog("standing by")
		p.wantStays()
	})
}

// TestFrozenApp stops the leader's worker in the middle of a piece of work, and asks for a handover. Nobody can notify
// the worker, so the Lease is kept until its validUntil; on waking it looks before it works, and stands by. Where it is
// seen by the run lock, the Lease is kept beyond that, until the worker is killed.
func TestFrozenApp(t *testing.T) {
	bothWays(t, func(p *pair, w way) {
		p.leader.worker.signal(syscall.SIGSTOP)
		p.leader.StepDown()
		if w == byFile {
			p.wantHeldBack()
			return
		}
		if because := p.leader.AwaitLog("the workload counts as stopped"); !strings.Contains(because, "validUntil has passed") {
			p.t.Errorf("a frozen worker counts as stopped: %s", because)
		}
		p.awaitWork(p.heir)
		p.leader.worker.signal(syscall.SIGCONT)
		p.wantStays()
	})
}

// wantHeldBack has the heir wait for the frozen worker's end, beyond the term.
func (p *pair) wantHeldBack() {
	p.t.Helper()
	eventually(p.t, "the term is over", func() bool { return !bootclock.System{}.Now().Before(p.term.ValidUntil) })
	harness.Throughout(p.t, 2*leaseDuration, "no other replica leads while the frozen worker holds the run lock", func() bool {
		return !p.heir.Leadership().IsLeader
	})
	p.leader.worker.signal(syscall.SIGKILL)
	if because := p.leader.AwaitLog("the workload counts as stopped"); !strings.Contains(because, "run-lock") {
		p.t.Errorf("the killed worker was not seen to stop: %s", because)
	}
	p.awaitWork(p.heir)
	wantOneAtWork(p.t, p.script)
}

// TestFrozenNode stops the leader's sidecar and its worker, in the middle of a piece of work, for longer than the
// Lease: woken together, the worker looks before it works, and stands by.
func TestFrozenNode(t *testing.T) {
	bothWays(t, func(p *pair, _ way) {
		p.leader.worker.signal(syscall.SIGSTOP)
		send(p.t, syscall.SIGSTOP, p.leader.PID())
		p.awaitWork(p.heir)
		p.leader.worker.signal(syscall.SIGCONT)
		send(p.t, syscall.SIGCONT, p.leader.PID())
		p.wantStays()
	})
}

// bothWays runs the test with two replicas of the worker in Go, for each way of asking, once the leader's worker sleeps in the middle
// of a piece of work.
func bothWays(t *testing.T, test func(*pair, way)) {
	for _, w := range []way{byFile, byHTTP} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			p := startWorkers(t, golang, w)
			wantWork(t, p.script, p.script.len(), p.term.Token)
			test(p, w)
		})
	}
}

// wantStays has the heir's worker go on alone, after the other one has said that it stands by.
func (p *pair) wantStays() {
	p.t.Helper()
	eventually(p.t, "the other worker stands by", func() bool {
		said := 0
		for _, l := range p.script.from(0) {
			if l.text == "standing by" {
				said++
			}
		}
		return said > 2 // both said so once, before anybody led
	})
	p.wantPieces(5)
	wantOneAtWork(p.t, p.script)
}
