//go:build linux

package integration

import (
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestKilled is fault 2: what leads is killed, in part or as a whole. Where the sidecar dies nobody takes the Lease before
// it has expired; where the app alone dies the sidecar hands over at once.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		kill   func(t *testing.T, p *pod)
		handed bool // the Lease is released
	}{
		{name: "sidecar", kill: func(t *testing.T, p *pod) { strike(t, syscall.SIGKILL, p.PID()) }},
		{name: "app", kill: func(t *testing.T, p *pod) { strike(t, syscall.SIGKILL, p.app(t)) }, handed: true},
		{name: "pod", kill: func(t *testing.T, p *pod) { strike(t, syscall.SIGKILL, p.node.PIDs()...) }},
		{name: "node", kill: func(_ *testing.T, p *pod) { p.node.Kill() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			to := newGuarded(t)
			pods := startPods(t, e, 2, to, stubborn)
			witness := harness.Watch(t, sidecarsOf(pods)...)
			struck, before := awaitPod(t, e.Duration+slack, to, pods...)
			heir, app := heirOf(pods, struck), struck.app(t)

			awaitRenewal(t, struck.Sidecar) // the whole of the Lease lies ahead
			killed, last := now(), struck.State()
			tc.kill(t, struck)
			if tc.handed {
				harness.AwaitLeader(t, e.Duration+slack, heir.Sidecar)
				took := sent(e, heir.Sidecar)
				t.Logf("handed over %v after the app's death", took.Sub(killed))
				if expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline()); !took.Before(expiry) {
					t.Errorf("the heir took the Lease %v after it had expired, want it handed over", took.Sub(expiry))
				}
			} else {
				<-struck.Exited()
				checkCrash(t, e, struck.Sidecar, heir.Sidecar)
			}
			if runs(app) {
				t.Error("the app runs although another replica leads")
			}
			_, after := awaitPod(t, slack, to, heir)
			if !greater(after, before) {
				t.Errorf("token %s after token %s: want a greater one", after, before)
			}
			to.tell(witness)
			witness.Verdict(t)
		})
	}
}
