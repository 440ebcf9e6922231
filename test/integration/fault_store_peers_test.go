//go:build linux

package integration

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestPeerProcesses lets one of ours and one of client-go's electors, each a process, take turns (fault 12): every
// change is forced by another fault of whoever leads. Never are both told at once that they lead, and ours never
// takes the Lease from a foreign holder before the grace is over. TestClientGoPeers forces many more changes.
func TestPeerProcesses(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v0.36", "v0.37"} {
		for _, release := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, ReleaseOnCancel=%v", version, release), func(t *testing.T) {
				t.Parallel()
				newTurns(t, version, release).takeAll(t)
			})
		}
	}
}

// turns is an election of two: one of ours, one of theirs.
type turns struct {
	election *harness.Election
	release  bool
	ours     *harness.Sidecar
	theirs   *harness.Peer
	witness  *harness.Witness
}

func newTurns(t *testing.T, version string, release bool) *turns {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Flags = []string{"--foreign-grace", mixedGrace.String()}
	e.Ship(t)
	w := &turns{election: e, release: release, ours: e.Start(t, "web-0")}
	w.witness = harness.Watch(t, w.ours)
	harness.AwaitLeader(t, bound, w.ours)
	w.theirs = e.StartPeer(t, "peer", harness.PeerOptions{
		Version: version, ReleaseOnCancel: release,
		LeaseDuration: mixedDuration, RenewDeadline: peerDeadline, RetryPeriod: peerRetry,
	})
	w.witness.AddPeer(w.theirs)
	return w
}

// takeAll begins with ours leading and ends so.
func (w *turns) takeAll(t *testing.T) {
	t.Log("ours is told to end")
	w.ours.Terminate(t)
	w.theirsLead(t)
	w.ours.Start(t, w.election)

	t.Log("theirs is killed")
	w.oursFollow(t, mixedDuration+mixedGrace, func() { w.theirs.Stop(0) })
	w.theirs.Start(t)

	t.Log("ours is killed")
	w.ours.Stop(0)
	w.theirsLead(t)
	w.ours.Start(t, w.election)

	t.Log("theirs is frozen")
	w.oursFollow(t, mixedDuration+mixedGrace, func() { w.theirs.Freeze(t) })
	w.theirs.Wake(t)
	w.theirsEnds(t, 1) // it has lost, and says so at last
	w.theirs.Start(t)

	t.Log("ours is frozen")
	w.ours.Freeze(t)
	w.theirsLead(t)
	w.ours.Wake(t)

	t.Log("theirs is told to end")
	wait := mixedDuration + mixedGrace
	if w.release {
		wait = mixedDuration // it blanks the holder, which is no release of ours
	}
	w.oursFollow(t, wait, func() {
		if err := w.theirs.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		w.theirsEnds(t, 0)
	})
	w.witness.Verdict(t)
}

func (w *turns) theirsLead(t *testing.T) {
	t.Helper()
	harness.Eventually(t, bound, "theirs leads", func() bool { told, _ := w.theirs.Told(); return told })
}

func (w *turns) theirsEnds(t *testing.T, want int) {
	t.Helper()
	select {
	case <-w.theirs.Exited():
	case <-time.After(bound):
		t.Fatalf("theirs still runs after %v", bound)
	}
	if got := w.theirs.ExitCode(); got != want {
		t.Errorf("theirs: exit status %d, want %d; the end of its log:\n%s", got, want, w.theirs.Tail(5))
	}
}

// oursFollow makes theirs stop to lead, and checks that ours took the Lease so long after their last write.
func (w *turns) oursFollow(t *testing.T, wait time.Duration, fault func()) {
	t.Helper()
	awaitOtherRenewal(t, w.election)
	fault()
	last := w.election.Read(t).Spec.RenewTime.Time // before it was sent
	written := now().Add(-time.Since(last))
	harness.AwaitLeader(t, bound, w.ours)
	w.checkTaken(t, written, wait)
}

func (w *turns) checkTaken(t *testing.T, written bootclock.Instant, wait time.Duration) {
	t.Helper()
	const slewed = 20 * time.Millisecond // the renew time is on the wall clock, which may run a little slower for a while
	if waited := sent(w.election, w.ours).Sub(written); waited < wait-slewed {
		t.Errorf("ours took the Lease %v after the last write of theirs, want at least %v", waited, wait)
	}
}

// awaitOtherRenewal waits until the Lease has been written once more.
func awaitOtherRenewal(t *testing.T, e *harness.Election) {
	t.Helper()
	before := e.Read(t).ResourceVersion
	harness.Eventually(t, slack, "the Lease is renewed", func() bool { return e.Read(t).ResourceVersion != before })
}
