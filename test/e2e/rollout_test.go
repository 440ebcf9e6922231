//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var rollouts = flag.Int("rollouts", 1, "how often each workload is rolled out")

// TestRollout restarts all pods in rolling updates, whose steps wait for ready pods: standbys are ready, so each update ends, and the
// leader hands over.
func TestRollout(t *testing.T) {
	for _, replicas := range []int32{3, 10} {
		for _, mode := range []lab.Mode{lab.Native, lab.ChildVolume} {
			// One after the other: what they measure depends on how busy the machine is.
			t.Run(fmt.Sprintf("%d replicas %s", replicas, mode), func(t *testing.T) { rollOut(t, replicas, mode) })
		}
	}
}

func rollOut(t *testing.T, replicas int32, mode lab.Mode) {
	w := lab.Deploy(t, lab.Shared(t), lab.App{Replicas: replicas, Mode: mode, Edit: func(d *appsv1.Deployment) { d.Spec.RevisionHistoryLimit = new(int32) }})
	w.AwaitReady(2*slack, int(replicas))
	w.AwaitWork(takeover)
	var took, idle []time.Duration
	var changes []int
	for range *rollouts {
		a, span := restart(t, w)
		took = append(took, span)
		changes, idle = append(changes, a.Changes), append(idle, a.Idle)
		if a.Changes < 1 {
			t.Errorf("%d changes of the pod that works, want one at least: all pods are new", a.Changes)
		}
	}
	slices.Sort(changes)
	t.Logf("figure: %d rollouts, medians: %.1f s each, %d changes of the pod that works, nobody works for %.2f s (at most %.2f s)", *rollouts,
		harness.Rank(took, 0.5).Seconds(), changes[(len(changes)-1)/2], harness.Rank(idle, 0.5).Seconds(), harness.Rank(idle, 1).Seconds())
	w.Verdict()
}

// restart restarts all pods, and waits until the update has ended and a new pod works. It returns what the pods did, and how long the
// update took.
func restart(t *testing.T, w *lab.Work) (a lab.Account, took time.Duration) {
	t.Helper()
	var old []string
	for _, p := range w.Pods() {
		old = append(old, p.Name)
	}
	from := bootclock.System{}.Now()
	w.Kubectl("rollout", "restart", "deployment/"+lab.AppName)
	if !w.RolledOut(t, 2*slack) {
		t.Fatal("the rollout does not end")
	}
	took = bootclock.System{}.Now().Sub(from)
	w.AwaitWork(takeover, old...)
	return w.Between(from, bootclock.System{}.Now()), took
}
