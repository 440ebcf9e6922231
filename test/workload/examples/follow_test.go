//go:build linux

package examples

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// TestExamplesFollowTheSidecar has two replicas of each example work in turn: the leader's stops and reports it on a
// step-down, so that the other starts at once; and it stops by validUntil when its sidecar is killed.
func TestExamplesFollowTheSidecar(t *testing.T) {
	eachWay(t, func(t *testing.T, l language, w way) {
		p := startWorkers(t, l, w)
		p.leader.StepDown()
		because, sight := p.leader.AwaitLog("the workload counts as stopped"), l.seenBy(w)
		if !strings.Contains(because, "it reported so") && (sight == "" || !strings.Contains(because, sight)) {
			t.Errorf("the worker did not report that its work has stopped, nor was it seen to stop by %q: %s", sight, because)
		}
		state := p.awaitWork(p.heir)
		if lease.Version(p.term.Token).Compare(lease.Version(state.Token)) >= 0 {
			t.Errorf("token %s after token %s; want a greater one", state.Token, p.term.Token)
		}

		send(t, syscall.SIGKILL, p.heir.PID())
		p.wantEndOfWork(p.heir)
		wantOneAtWork(t, p.script)
	})
}

// TestKilledWorkers kills the leader's worker of each language that shows its work: the Lease is released at once, though
// nothing of the worker could say so, and the other replica works.
func TestKilledWorkers(t *testing.T) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := startWorkers(t, l, byFile)
			wantWork(t, p.script, p.script.len(), p.term.Token) // it has shown that it works before
			p.leader.AwaitLog("the workload holds")             // and the sidecar has seen it
			p.leader.worker.signal(syscall.SIGKILL)
			killed := bootclock.System{}.Now()
			p.leader.AwaitLog("the workload has ended while this replica leads")
			if because := p.leader.AwaitLog("the workload counts as stopped"); !strings.Contains(because, l.seenBy(byFile)) {
				t.Errorf("its end was not seen: %s", because)
			}
			released := bootclock.System{}.Now().Sub(killed)
			t.Logf("released within %s of the kill, as the log shows", released)
			p.awaitWork(p.heir)
			wantOneAtWork(t, p.script)
		})
	}
}

// wantEndOfWork has the replica's worker stop by the validUntil that its sidecar, now dead or frozen, wrote last.
func (p *pair) wantEndOfWork(r *replica) {
	p.t.Helper()
	time.Sleep(50 * time.Millisecond) // what was written before the signal arrived
	last := r.Leadership()
	if last.Token == "" {
		p.t.Fatal("the term was over before the fault: the machine is too slow for this test")
	}
	eventually(p.t, "the term is over", func() bool { return !r.Leadership().IsLeader })
	time.Sleep(killMargin + 500*time.Millisecond)
	for _, l := range p.script.from(0) {
		if late := l.at.Sub(last.ValidUntil); tokenOf(l.text) == r.token(last) && !change(l.text) && late > killMargin {
			p.t.Errorf("it works %s after its validUntil: %s\n%s", late, l.text, p.script)
		}
	}
}
