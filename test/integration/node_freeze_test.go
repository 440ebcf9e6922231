//go:build linux

package integration

import (
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestFrozenLeader stops the leading sidecar for longer than its Lease: nothing it left behind says "leader" past
// its validUntil, and neither does what it publishes first on waking.
func TestFrozenLeader(t *testing.T) {
	t.Parallel()
	e, replicas, frozen := elect(t, harness.Shared(t), 5*time.Second, 3)
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
	if leads, _ := frozen.LeadsByFile(); leads {
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
		status, document := frozen.Leader()
		return status == http.StatusServiceUnavailable && document.Leader == heir.Pod && !frozen.HasLeaderFile()
	})
}

// TestFrozenBeyondTheLease is fault 7: the sidecar, the app or both are frozen for longer than the Lease, by a signal or by
// the kernel's freezer, in a term or in the middle of a drain, with a write on its way. The other replica takes over; the
// write is refused as stale; on waking nobody leads, and the app is dead before it has done anything that counts.
func TestFrozenBeyondTheLease(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		drain  bool // freeze in the middle of a drain
		freeze func(t *testing.T, p *pod) (wake func())
		ask    bool // it does not end the term by itself: hand over once all is frozen
		guards bool // what is awake kills the app in time
	}{
		{name: "sidecar by the freezer", freeze: inGroup((*pod).sidecar), guards: true},
		{name: "app by the freezer", freeze: inGroup((*pod).app), ask: true},
		{name: "node by the freezer", freeze: wholeNode},
		{name: "sidecar by a signal in a drain", freeze: bySignal((*pod).sidecar), drain: true, guards: true},
		{name: "app by a signal in a drain", freeze: bySignal((*pod).app), drain: true, guards: true},
		{name: "node by the freezer in a drain", freeze: wholeNode, drain: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			e.Flags = []string{"--stop-timeout", "3s"}
			to := newGuarded(t)
			pods := startPods(t, e, to, stubborn)
			frozen, before := awaitPod(t, e.Duration+slack, to, pods...)
			heir, app := heirOf(pods, frozen), frozen.app(t)
			to.hold(t, frozen.Pod)
			awaitRenewal(t, frozen.Sidecar)
			if tc.drain {
				checkDraining(t, frozen.Sidecar)
			}
			wake := tc.freeze(t, frozen)
			if tc.ask {
				harness.Throughout(t, e.Duration, "the sidecar leads on while its app is frozen", steady(frozen.Sidecar))
				checkDraining(t, frozen.Sidecar)
			}

			awaitPod(t, 2*e.Duration+slack, to, heir)
			if tc.guards && harness.Runs(app) {
				t.Errorf("%s leads although the frozen replica's app lives", heir.Pod)
			}
			to.release(frozen.Pod)
			to.awaitRefusal(t, before)
			worked := to.work(frozen.Pod)
			wake()

			harness.Eventually(t, slack, "the woken app is killed", func() bool { return !harness.Runs(app) })
			harness.Eventually(t, slack, "the woken sidecar names its successor", func() bool {
				status, document := frozen.Leader()
				return status == http.StatusServiceUnavailable && document.Leader == heir.Pod && !frozen.HasLeaderFile()
			})
			if to.work(frozen.Pod) != worked {
				t.Error("a write of the woken app was accepted")
			}
		})
	}
}

// checkDraining asks the leader for a handover, and returns once it says "not leading": the drain has begun.
func checkDraining(t *testing.T, s *harness.Sidecar) {
	t.Helper()
	s.StepDown(t)
	harness.Eventually(t, slack, "the leader drains", func() bool { return !s.State().IsLeader })
}

// sidecar returns the sidecar's own pid.
func (p *pod) sidecar(*testing.T) int { return p.PID() }

// inGroup freezes one process with the kernel's freezer, and nothing else of its pod.
func inGroup(which func(*pod, *testing.T) int) func(*testing.T, *pod) func() {
	return func(t *testing.T, p *pod) func() {
		g := harness.NewCgroup(t)
		g.Add(which(p, t))
		g.Freeze()
		return g.Thaw
	}
}

// bySignal freezes one process as a debugger does.
func bySignal(which func(*pod, *testing.T) int) func(*testing.T, *pod) func() {
	return func(t *testing.T, p *pod) func() {
		pid := which(p, t)
		strike(t, syscall.SIGSTOP, pid)
		return func() { strike(t, syscall.SIGCONT, pid) }
	}
}

// wholeNode freezes the sidecar, the guard and the app at one instant.
func wholeNode(_ *testing.T, p *pod) func() {
	p.node.Freeze()
	return p.node.Thaw
}

// TestHTTPAtTheDeadline is fault 14's last part: a leader that is cut off is asked without a pause while its validUntil
// passes. Whoever asks at or past the validUntil that the answer itself names hears "not leader".
func TestHTTPAtTheDeadline(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	leader, line := prepareBehind(t, e, "web-0")
	heir := startWithHeir(t, e, leader)
	awaitRenewal(t, leader)
	line.Cut()
	cut := now()

	var yes, no atomic.Int64
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for end := cut.Add(e.Duration); now().Before(end); {
				asked := now()
				status, document := leader.Leader()
				switch {
				case status == http.StatusServiceUnavailable && !document.IsLeader:
					no.Add(1)
				case status == http.StatusOK && document.IsLeader && asked.Before(document.ValidUntil):
					yes.Add(1)
				default:
					t.Errorf("asked %v after the validUntil that the answer names: status %d, %+v", asked.Sub(document.ValidUntil), status, document)
					return
				}
			}
		})
	}
	asking.Wait()
	if yes.Load() == 0 || no.Load() == 0 {
		t.Errorf("%d times yes and %d times no, want both: the deadline did not pass under the questions", yes.Load(), no.Load())
	}
	harness.AwaitLeader(t, e.Duration+slack, heir)
	line.Heal()
	awaitNaming(t, leader, heir)
}
