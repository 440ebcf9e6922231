//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestRemoteSignalsUnderFaults takes the leader's label, webhook and Events through what can befall a leader. Whatever
// it is, the next leader's signal follows within a second of its term; the old leader's own depends on the fault.
func TestRemoteSignalsUnderFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(*testing.T, *farReplica)
		// says is what the old leader still sends by itself.
		says bool
		heal func(*testing.T, *farReplica)
	}{
		{"planned handover", func(t *testing.T, r *farReplica) {
			r.StepDown(t)
		}, true, nil},
		{"sidecar killed", func(_ *testing.T, r *farReplica) { r.Stop(0) }, false, nil},
		{"sidecar frozen", func(t *testing.T, r *farReplica) { r.Freeze(t) }, false, func(t *testing.T, r *farReplica) { r.Wake(t) }},
		{"API partition", func(_ *testing.T, r *farReplica) { r.line.Cut() }, true, func(_ *testing.T, r *farReplica) { r.line.Heal() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := labelling(t, 5*time.Second, eventRule())
			replicas := startFar(t, e, 3)
			first, _ := awaitBearer(t, e, e.Duration+slack, sidecars(replicas)...)
			old := replicas[slices.IndexFunc(replicas, func(r *farReplica) bool { return r.Sidecar == first })]
			awaitEvent(t, e, old, true)

			tc.fault(t, old)
			deadline := old.State().ValidUntil
			if tc.says {
				harness.Eventually(t, slack, "the webhook hears that "+old.Pod+" leads no more", func() bool { return old.hook.lostAt() != 0 })
				if deadline != 0 && old.hook.lostAt() > deadline.Add(lossBound) {
					t.Errorf("the webhook hears of the loss %v after validUntil", old.hook.lostAt().Sub(deadline))
				}
			}
			heir, took := awaitBearer(t, e, 2*e.Duration+slack, harness.Others(sidecars(replicas), first)...)
			if took > labelBound {
				t.Errorf("the label went to %s in %v, want within %v", heir.Pod, took, labelBound)
			}
			awaitEvent(t, e, replicas[slices.IndexFunc(replicas, func(r *farReplica) bool { return r.Sidecar == heir })], true)
			if !tc.says && old.hook.lostAt() != 0 {
				t.Error("the webhook has heard of the loss from one that can say nothing")
			}
			if tc.heal != nil {
				tc.heal(t, old)
				awaitEvent(t, e, old, false)
				harness.Throughout(t, time.Second, "the heir's pod alone bears the label after the old leader's return", func() bool {
					return slices.Equal(bearers(t, e), []string{heir.Pod})
				})
			}
		})
	}
}

// lossBound is how much later than validUntil the webhook may hear of a loss, on a busy machine.
const lossBound = 3 * time.Second

// farReplica is one with a line to the API server that can be cut, and a receiver of its webhook.
type farReplica struct {
	*harness.Sidecar
	line *harness.Proxy
	hook *receiver
}

func startFar(t *testing.T, e *harness.Election, n int) []*farReplica {
	t.Helper()
	var all []*farReplica
	for i := range n {
		pod := podOf(t, e, fmt.Sprintf("web-%d", i), nil)
		r := &farReplica{hook: newReceiver(t)}
		r.Sidecar, r.line = prepareBehind(t, e, pod.Name)
		r.UID = string(pod.UID)
		r.Args = append(r.Args, "--events", "--webhook-url", r.hook.URL)
		r.Start(t, e)
		all = append(all, r)
	}
	return all
}

func sidecars(replicas []*farReplica) []*harness.Sidecar {
	var all []*harness.Sidecar
	for _, r := range replicas {
		all = append(all, r.Sidecar)
	}
	return all
}

// awaitEvent waits until the replica's webhook and Events show that it leads, or that it leads no more.
func awaitEvent(t *testing.T, e *harness.Election, r *farReplica, leads bool) {
	t.Helper()
	change := " stopped leading"
	if leads {
		change = " became leader"
	}
	harness.Eventually(t, slack, "the webhook and an Event say that "+r.Pod+change, func() bool {
		list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatalf("list the Events: %v", err)
		}
		for _, event := range list.Items {
			if event.Reason == "LeaderElection" && strings.HasPrefix(event.Message, r.Pod+"_") && strings.HasSuffix(event.Message, change) {
				return r.hook.last().IsLeader == leads && r.hook.last().Identity != ""
			}
		}
		return false
	})
}
