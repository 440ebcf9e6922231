//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
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
			e := labelling(t, harness.Shared(t), 5*time.Second)
			e.Access.SetRules(t, append(harness.DocumentedRules(e.Lease), podRule(),
				rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}})...)
			replicas := startFar(t, e, 3)
			first, _ := awaitBearer(t, e, e.Duration+slack, sidecars(replicas)...)
			old := replicas[slices.IndexFunc(replicas, func(r *farReplica) bool { return r.Sidecar == first })]
			awaitEvent(t, e, old, true)

			tc.fault(t, old)
			deadline := old.State().ValidUntil
			if tc.says {
				awaitLost(t, old)
				if deadline != 0 && old.lostAt() > deadline.Add(lossBound) {
					t.Errorf("the webhook hears of the loss %v after validUntil", old.lostAt().Sub(deadline))
				}
			}
			heir, took := awaitBearer(t, e, 2*e.Duration+slack, harness.Others(sidecars(replicas), first)...)
			if took > labelBound {
				t.Errorf("the label went to %s in %v, want within %v", heir.Pod, took, labelBound)
			}
			awaitEvent(t, e, replicas[slices.IndexFunc(replicas, func(r *farReplica) bool { return r.Sidecar == heir })], true)
			if !tc.says && old.lost() {
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

	mu    sync.Mutex
	heard []leadership.Leadership // each with Observed as the instant of its arrival
}

func startFar(t *testing.T, e *harness.Election, n int) []*farReplica {
	t.Helper()
	var all []*farReplica
	for i := range n {
		pod := podOf(t, e, fmt.Sprintf("web-%d", i), nil)
		r := &farReplica{Sidecar: e.Prepare(t, pod.Name), line: e.Cluster.Proxy(t)}
		receiver := httptest.NewServer(r)
		t.Cleanup(receiver.Close)
		r.UID, r.Kubeconfig = string(pod.UID), e.Access.Kubeconfig(t, r.line.Host())
		r.Args = append(r.Args, "--events", "--webhook-url", receiver.URL)
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

// ServeHTTP is the webhook's receiver.
func (r *farReplica) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var l leadership.Leadership
	if err := json.NewDecoder(q.Body).Decode(&l); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.Observed = now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, l)
}

// last returns the newest document; the zero value before the first.
func (r *farReplica) last() leadership.Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.heard) == 0 {
		return leadership.Leadership{}
	}
	return r.heard[len(r.heard)-1]
}

// lostAt returns when the webhook heard of the end of the replica's first term; 0: not yet.
func (r *farReplica) lostAt() bootclock.Instant {
	r.mu.Lock()
	defer r.mu.Unlock()
	led := false
	for _, l := range r.heard {
		if led && !l.IsLeader {
			return l.Observed
		}
		led = led || l.IsLeader
	}
	return 0
}

func (r *farReplica) lost() bool { return r.lostAt() != 0 }

func awaitLost(t *testing.T, r *farReplica) {
	t.Helper()
	harness.Eventually(t, slack, "the webhook hears that "+r.Pod+" leads no more", r.lost)
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
				return r.last().IsLeader == leads && r.last().Identity != ""
			}
		}
		return false
	})
}
