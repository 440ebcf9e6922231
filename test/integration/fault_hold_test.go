//go:build linux

package integration

import (
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestHoldCannotBeWritten lets the hold's write fail as the leader begins to hand over, and restarts it behind a cut line
// once another replica leads (I15): nobody else is let in before that what stood on disk was overwritten or has expired.
func TestHoldCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		moment bool // it can be written again soon
	}{
		{"for a moment", true},
		{"for good", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 12*time.Second)
			e.ShipFree(t)
			line := e.Cluster.Proxy(t)
			first := e.Prepare(t, "web-0")
			first.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
			first.Unwritable(t)
			first.Start(t, e)
			harness.AwaitLeader(t, e.Duration+slack, first)
			heir := e.Start(t, "web-1")
			harness.Eventually(t, slack, "the heir stands by", func() bool { return heir.ProbeStatus("/readyz") == http.StatusOK })
			witness := harness.Watch(t, first, heir)

			awaitRenewal(t, first)
			last := first.State().ValidUntil
			first.RefuseWrites(t)
			if status := first.Post("/step-down"); status != http.StatusAccepted {
				t.Fatalf("POST /step-down: status %d, want %d", status, http.StatusAccepted)
			}
			harness.Eventually(t, slack, "the leader drains", func() bool { told, _ := first.ToldByHTTP(); return !told })
			if tc.moment {
				first.AllowWrites(t)
			}
			harness.Eventually(t, slack, "the leader takes the word that its work has stopped", func() bool {
				status := first.Post("/drained")
				return status == http.StatusOK || status == http.StatusAccepted
			})
			harness.AwaitLeader(t, 2*e.Duration+slack, heir)
			if took := sent(e, heir); tc.moment && !took.Before(last) {
				t.Errorf("the Lease was released %v after what stood on disk had expired, want soon after it could be written", took.Sub(last))
			}
			line.Cut()
			first.Stop(0)
			first.Start(t, e) // it reads nothing: the line is cut
			time.Sleep(e.RenewDeadline())
			logOverlap(t, witness)
			witness.Verdict(t)
		})
	}
}

// TestHoldOfAnotherElection restarts a leader for an election in another namespace, on the same signal directory and
// behind a cut line: the term of the one is nothing in the other.
func TestHoldOfAnotherElection(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	e, other := harness.NewElection(t, c, 9*time.Second), harness.NewElection(t, c, 9*time.Second)
	e.ShipFree(t)
	other.ShipFree(t)
	moved, leader := e.Start(t, "web-0"), other.Start(t, "web-1")
	harness.AwaitLeader(t, e.Duration+slack, moved)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	awaitRenewal(t, moved)

	line := c.Proxy(t)
	line.Cut()
	moved.Kubeconfig = other.Access.Kubeconfig(t, line.Host())
	moved.Stop(0)
	moved.Start(t, other)
	harness.Eventually(t, slack, "the moved replica runs", func() bool { return moved.ProbeStatus("/startupz") == http.StatusOK })
	witness := harness.Watch(t, moved, leader)
	harness.Throughout(t, e.RenewDeadline(), "the leader of the other election leads on", func() bool {
		told, _ := leader.Told()
		return told
	})
	logOverlap(t, witness)
	witness.Verdict(t)
}

// TestHoldCopied copies a leader's signal directory, as a volume is cloned, and starts a second sidecar of the same pod on
// the copy: the hold in it names another file than itself, and is void.
func TestHoldCopied(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		name := map[bool]string{false: "on a healthy line", true: "behind a cut line"}[cut]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			copied(t, cut)
		})
	}
}

func copied(t *testing.T, cut bool) {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.ShipFree(t)
	first := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, first)
	second := e.Prepare(t, "copy") // the witness's name for it
	if cut {
		line := e.Cluster.Proxy(t)
		line.Cut()
		second.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
	}
	second.Env = []string{"POD_NAME=" + first.Pod, "POD_UID=" + first.UID}
	awaitRenewal(t, first)
	if out, err := exec.Command("cp", "-a", first.Dir+"/.", second.Dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the signal directory: %v\n%s", err, out)
	}
	second.Start(t, e)
	harness.Eventually(t, slack, "the second runs", func() bool { return second.ProbeStatus("/startupz") == http.StatusOK })
	witness := harness.Watch(t, first, second)
	time.Sleep(2 * e.Duration)
	if told, _ := second.ToldByHTTP(); told {
		t.Error("the second leads on a copy of the first's hold")
	}
	logOverlap(t, witness)
	witness.Verdict(t)
}

// logOverlap logs for how long two were told at once, at the most: a figure to compare versions by.
func logOverlap(t *testing.T, w *harness.Witness) {
	t.Helper()
	w.Stop()
	var longest time.Duration
	for _, o := range harness.Overlaps(w.Terms("")) {
		longest = max(longest, o.Span)
	}
	t.Logf("figure: two told for %.2f s", longest.Seconds())
}
