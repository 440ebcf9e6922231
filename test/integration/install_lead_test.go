//go:build linux

package integration

import (
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestThreeReplicas walks three replicas with the documented Role through a first election, a handover and a crash.
func TestThreeReplicas(t *testing.T) {
	t.Parallel()
	e, replicas, first := elect(t, harness.Shared(t), 9*time.Second, 3)

	harness.Eventually(t, slack, "one answers 200 and two answer 503, and all name the leader", func() bool {
		var statuses []int
		for _, s := range replicas {
			status, document := s.Leader()
			statuses = append(statuses, status)
			if document.Leader != first.Pod || document.Lease != e.Lease || document.Namespace != e.Namespace {
				return false
			}
		}
		slices.Sort(statuses)
		return slices.Equal(statuses, []int{http.StatusOK, http.StatusServiceUnavailable, http.StatusServiceUnavailable})
	})
	checkKubectl(t, e, first)

	t.Log("handover")
	first.StepDown(t)
	first.Terminate(t)
	if first.HasLeaderFile() {
		t.Error("the leader file is still there after SIGTERM")
	}
	others := harness.Others(replicas, first)
	second := harness.AwaitLeader(t, slack, others...)

	t.Log("crash")
	second.Stop(0)
	third := harness.Others(others, second)[0]
	checkCrash(t, e, second, third)
}

// checkCrash follows a leader that was killed: its files read as stale from validUntil on, and the heir's Lease is
// taken no earlier than the dead one's has expired.
func checkCrash(t *testing.T, e *harness.Election, dead, heir *harness.Sidecar) {
	t.Helper()
	last := dead.State()
	if !last.IsLeader {
		t.Fatalf("the dead replica's document says %+v, want its last term", last)
	}
	for until := last.ValidUntil.Add(500 * time.Millisecond); now().Before(until); time.Sleep(2 * time.Millisecond) {
		look := now()
		if leads, _ := dead.Leads(); leads && !look.Before(last.ValidUntil) {
			t.Fatalf("the dead leader's document reads as leading %v past its validUntil", look.Sub(last.ValidUntil))
		}
		// The file's time is on the wall clock, which may be slewed against the boot clock: hence some room.
		if leads, _ := dead.LeadsByFile(); leads && look.Sub(last.ValidUntil) > 50*time.Millisecond {
			t.Fatalf("the dead leader's file is fresh %v past its validUntil", look.Sub(last.ValidUntil))
		}
	}
	harness.AwaitLeader(t, e.Duration+slack, heir)
	expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline())
	if took := sent(e, heir); took.Before(expiry) {
		t.Errorf("the heir took the Lease %v before it expired", expiry.Sub(took))
	}
}

// checkKubectl checks what an operator sees of the Lease.
func checkKubectl(t *testing.T, e *harness.Election, leader *harness.Sidecar) {
	t.Helper()
	kubectl := []string{"--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "get", "lease", e.Lease}
	table, _ := harness.RunCommand(t, harness.Kubectl(t), kubectl...)
	if holder := leader.State().Identity; !strings.Contains(table, holder) || !strings.HasPrefix(holder, leader.Pod+"_"+leader.UID) {
		t.Errorf("kubectl get lease does not show %s_%s as the holder:\n%s", leader.Pod, leader.UID, table)
	}
	yaml, _ := harness.RunCommand(t, harness.Kubectl(t), append(kubectl, "-o", "yaml")...)
	for _, want := range []string{naming.AnnotationWorkload + ": " + e.Workload, naming.LabelElection + `: "true"`} {
		if !strings.Contains(yaml, want) {
			t.Errorf("kubectl get lease -o yaml lacks %q:\n%s", want, yaml)
		}
	}
}

// TestReleaseIsTakenAtOnce shows that an orderly stop costs no lease duration even where nobody stood by. TestRollingUpdate shows it
// of replicas that do.
func TestReleaseIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	e, old := leadAlone(t, 15*time.Second, promised...)
	fresh := e.Prepare(t, "web-9")
	watch(t, old, fresh)
	old.Terminate(t)
	started := now()
	fresh.Start(t, e)
	harness.AwaitLeader(t, e.Duration, fresh)
	if waited := sent(e, fresh).Sub(started); waited > e.Duration/3 {
		t.Errorf("a fresh replica took the released Lease after %v, want at once", waited)
	}
}

// greater compares tokens, decimal numbers of any length.
func greater(a, b string) bool {
	x, okX := new(big.Int).SetString(a, 10)
	y, okY := new(big.Int).SetString(b, 10)
	return okX && okY && x.Cmp(y) > 0
}
