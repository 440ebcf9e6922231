//go:build linux

package e2e

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
)

// TestRollout restarts all pods in a rolling update, whose steps wait for ready pods: standbys are ready, so it ends, and the leader
// hands over.
func TestRollout(t *testing.T) {
	t.Parallel()
	w := lab.Deploy(t, lab.Shared(t), lab.App{})
	w.AwaitReady(slack, 3)
	w.AwaitWork(leaseDuration + slack)
	began := time.Now()
	w.Kubectl("rollout", "restart", "deployment/web")
	w.Kubectl("rollout", "status", "deployment/web", "--timeout=55s")
	t.Logf("figure: a rollout of 3 replicas took %.1f s", time.Since(began).Seconds())
	w.AwaitWork(leaseDuration + slack)
	if a := w.Verdict(); a.Changes < 1 {
		t.Errorf("%d changes of the pod that works, want one at least: all pods are new", a.Changes)
	}
}
