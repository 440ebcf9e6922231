//go:build linux

package integration

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestIdentityUsedTwice runs two processes that were told the same pod name and UID (fault 11): the second never leads on
// the first's record, and never blanks it; once the first is gone it waits like anybody.
func TestIdentityUsedTwice(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		setUp func(second *harness.Sidecar)
		same  bool // their identities, too
	}{
		{"two signal directories", func(*harness.Sidecar) {}, true},
		{"no signal directory for the second", func(s *harness.Sidecar) { s.Args = without(s.Args, "--signal-dir") }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
			e.Ship(t)
			first := e.Start(t, "web-0")
			harness.AwaitLeader(t, e.Duration+slack, first)
			second := e.Prepare(t, "second") // the witness's name for it
			second.Env = []string{"POD_NAME=" + first.Pod, "POD_UID=" + first.UID}
			tc.setUp(second)
			second.Start(t, e)
			witness := harness.Watch(t, first, second)
			harness.Eventually(t, slack, "the second sees the Lease", func() bool { return second.ProbeStatus("/readyz") == 200 })
			_, told := second.Leader()
			if same := told.Identity == first.State().Identity; same != tc.same {
				t.Fatalf("the second's identity is %s, the first's %s: want them equal: %v", told.Identity, first.State().Identity, tc.same)
			}

			unmoved := steady(first)
			alone := func() bool {
				told, _ := second.ToldByHTTP()
				return !told && unmoved()
			}
			harness.Throughout(t, 2*e.Duration, "the first leads, the second does not", alone)
			if status := second.Post("/step-down"); status != 409 {
				t.Errorf("POST /step-down on the second: status %d, want 409", status)
			}
			second.Terminate(t)
			harness.Throughout(t, e.Duration, "the first leads on without the second", unmoved)

			second.Start(t, e)
			harness.Eventually(t, slack, "the second is back", func() bool { return second.ProbeStatus("/readyz") == 200 })
			last := first.State()
			first.Stop(0)
			harness.Eventually(t, e.Duration+slack, "the second leads", func() bool { told, _ := second.ToldByHTTP(); return told })
			_, now := second.Leader()
			expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline())
			if took := now.ValidUntil.Add(-e.RenewDeadline()); took.Before(expiry) {
				t.Errorf("the second took the Lease %v before it had expired", expiry.Sub(took))
			}
			if !greater(now.Token, last.Token) {
				t.Errorf("token %s after token %s: want a greater one", now.Token, last.Token)
			}
			witness.Verdict(t)
		})
	}
}
