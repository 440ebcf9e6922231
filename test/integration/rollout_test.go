//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestRollingUpdate replaces three replicas one by one, as a Deployment does: somebody leads between any two steps,
// never two at once, and lost races stay few.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Ship(t)
	e.Flags = promised
	replicas := e.StartAll(t, 3)
	witness := harness.Watch(t, replicas...)
	harness.AwaitLeader(t, e.Duration+slack, replicas...)
	began := time.Now()
	for i, old := range replicas {
		fresh := e.Start(t, fmt.Sprintf("web-new-%d", i))
		witness.Add(fresh)
		harness.Eventually(t, slack, "the new replica is ready", func() bool { return fresh.ProbeStatus("/readyz") == http.StatusOK })
		stopped := now()
		old.Terminate(t)
		replicas[i] = fresh
		leader := harness.AwaitLeader(t, e.Duration, replicas...)
		// Where the old one led, its Lease was released: who leads now did not wait for it to expire.
		if waited := sent(e, leader).Sub(stopped); waited > e.Duration/2 {
			t.Errorf("step %d: a leader after %v, want at once", i, waited)
		}
	}
	handovers := len(witness.Terms("state"))
	conflicts := e.Cluster.Audit.Requests(t, began, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Verb == "update" && r.Code == http.StatusConflict
	})
	if most := 3 * (handovers + 1); len(conflicts) > most {
		t.Errorf("%d conflicts over %d handovers, want at most %d", len(conflicts), handovers, most)
	}
	witness.Verdict(t)
}
