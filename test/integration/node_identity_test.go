//go:build linux

package integration

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestTwin lets a second process renew the Lease under the leader's identity (I12). One such write may be a dead
// predecessor's that comes late: the term goes on. Once the leader has renewed over it and there is another one, somebody
// lives who writes our identity: the leader stops, and goes on under a fresh identity of the same name.
func TestTwin(t *testing.T) {
	t.Parallel()
	e, s := leadAlone(t, 9*time.Second)
	watch(t, s)
	awaitRenewal(t, s)
	identity, same := s.State().Identity, steady(s)

	renewAsTwin(t, e)
	harness.Throughout(t, 2*e.Duration/5, "the same term after one late write", same)
	if got := s.State().Identity; got != identity {
		t.Errorf("identity %s after one late write, want still %s", got, identity)
	}

	harness.Eventually(t, slack, "the leader that has a twin stops", func() bool {
		renewAsTwin(t, e)
		time.Sleep(e.Duration / 5)
		return !same()
	})
	harness.Eventually(t, slack, "it goes on under a fresh identity", func() bool {
		_, l := s.Leader()
		return l.Identity != identity && strings.HasPrefix(l.Identity, s.Pod+"_")
	})
	harness.AwaitLeader(t, 2*e.Duration+slack, s)
	if fresh := s.State().Identity; e.Holder(t) != fresh || fresh == identity {
		t.Errorf("the Lease is held by %s, the leader calls itself %s, want another one than %s", e.Holder(t), fresh, identity)
	}
}

// renewAsTwin writes the Lease as a process does that has the holder's identity and follows the protocol.
func renewAsTwin(t *testing.T, e *harness.Election) {
	t.Helper()
	e.Edit(t, func(l *coordinationv1.Lease) {
		renewed := metav1.NewMicroTime(time.Now().Truncate(time.Second).Add(123456 * time.Microsecond))
		l.Spec.RenewTime = &renewed
	})
}

// TestTwinsTakeTurns runs two live sidecars with one identity and a signal directory each. The one that stands by sees that
// another process writes its identity, and goes on under a fresh one, while the leader leads on. Then the leader is frozen
// until the other has taken the Lease, again and again: never do two lead.
func TestTwinsTakeTurns(t *testing.T) {
	t.Parallel()
	e, first := leadAlone(t, 3*time.Second)
	second := e.Prepare(t, "second") // the witness's name for it
	second.Env = []string{"POD_NAME=" + first.Pod, "POD_UID=" + first.UID}
	second.Start(t, e)
	harness.Eventually(t, slack, "the second sees the Lease", func() bool { return second.ProbeStatus("/readyz") == http.StatusOK })
	watch(t, first, second)
	same := steady(first)
	harness.Eventually(t, e.Duration+slack, "the second goes on under a fresh identity", func() bool {
		_, l := second.Leader()
		return l.Identity != first.State().Identity && strings.HasPrefix(l.Identity, first.Pod+"_")
	})
	if !same() {
		t.Error("the first does not lead on")
	}
	twins := []*harness.Sidecar{first, second}
	for range 2 {
		leader := harness.AwaitLeader(t, 2*e.Duration+slack, twins...)
		other := harness.Others(twins, leader)[0]
		leader.Freeze(t)
		harness.AwaitLeader(t, 2*e.Duration+slack, other)
		leader.Wake(t)
		harness.Throughout(t, e.Duration, "the one that has taken the Lease leads on alone", func() bool {
			leads, _ := leader.Leads()
			byHTTP, _ := leader.LeadsByHTTP()
			return !leads && !byHTTP
		})
	}
}

// TestPredecessorWritesLate lets the last renewal of a killed sidecar reach the API server after its successor in the pod
// has read the Lease: a late write of a dead process is no twin. The successor keeps its identity, and leads again.
func TestPredecessorWritesLate(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.ShipFree(t)
	storm := e.Cluster.Storm(t)
	s := e.Prepare(t, "web-0")
	s.Kubeconfig = e.Access.Kubeconfig(t, storm.Host())
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	watch(t, s)
	awaitRenewal(t, s)
	identity := s.State().Identity

	var writes atomic.Int32
	storm.Faults(func(r *http.Request) harness.Fate {
		switch {
		case !isUpdate(r):
			return harness.Fate{}
		case writes.Add(1) == 1:
			return harness.Fate{Late: 1500 * time.Millisecond} // the predecessor's last renewal
		}
		return harness.Fate{Late: 3 * time.Second} // the successor's: overtaken by it
	})
	harness.Eventually(t, slack, "a renewal is on its way", func() bool { return writes.Load() > 0 })
	_, before := s.Leads()
	known := version(t, e)
	s.Stop(0)
	s.Start(t, e)
	harness.Eventually(t, slack, "the dead process's renewal is taken", func() bool { return version(t, e) != known })
	time.Sleep(2 * time.Second) // the successor's first write is refused by now
	storm.Faults(nil)
	harness.Eventually(t, 2*e.Duration+slack, "the successor leads", func() bool {
		leads, token := s.Leads()
		return leads && greater(token, before)
	})
	if got := s.State().Identity; got != identity {
		t.Errorf("the successor calls itself %s, want %s: a dead predecessor is no twin", got, identity)
	}
}

// TestIdentityUsedTwice runs two processes with the same pod name and UID (fault 11): the second never leads on
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
			e, first := leadAlone(t, 3*time.Second)
			second := e.Prepare(t, "second") // the witness's name for it
			second.Env = []string{"POD_NAME=" + first.Pod, "POD_UID=" + first.UID}
			tc.setUp(second)
			second.Start(t, e)
			watch(t, first, second)
			harness.Eventually(t, slack, "the second sees the Lease", func() bool { return second.ProbeStatus("/readyz") == 200 })
			own := `"identity":"` + first.State().Identity + `"` // as a twin the second may have taken another by now
			if campaigns := linesOf(second, []string{"INFO"}, `"Campaigning"`); len(campaigns) != 1 || strings.Contains(campaigns[0], own) != tc.same {
				t.Fatalf("the second begins with\n%s\nand the first has %s: want their identities equal: %v", campaigns, own, tc.same)
			}

			unmoved := steady(first)
			alone := func() bool {
				leads, _ := second.LeadsByHTTP()
				return !leads && unmoved()
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
			harness.Eventually(t, e.Duration+slack, "the second leads", func() bool { leads, _ := second.LeadsByHTTP(); return leads })
			_, now := second.Leader()
			expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline())
			if took := now.ValidUntil.Add(-e.RenewDeadline()); took.Before(expiry) {
				t.Errorf("the second took the Lease %v before it had expired", expiry.Sub(took))
			}
			if !greater(now.Token, last.Token) {
				t.Errorf("token %s after token %s: want a greater one", now.Token, last.Token)
			}
		})
	}
}
