//go:build linux

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// budget is the most that an election may ask of the API server, in requests a second, however many replicas.
const budget = 0.36

// TestRequestBudget counts what three idle replicas ask of the API server in a minute, by its own metrics, and
// who asked, by its audit log. Each replica has an account of its own, on a cluster with nobody else.
func TestRequestBudget(t *testing.T) {
	t.Parallel()
	const span = 60 * time.Second
	cluster := harness.Start(t)
	e := harness.NewElection(t, cluster, 15*time.Second)
	e.Ship(t)
	users := map[string]*harness.Sidecar{}
	var replicas []*harness.Sidecar
	for i := range 3 {
		pod := fmt.Sprintf("web-%d", i)
		s := e.Prepare(t, pod)
		access := cluster.Grant(t, e.Namespace, pod, harness.DocumentedRules(e.Lease)...)
		s.Kubeconfig = access.Kubeconfig(t, cluster.Host())
		s.Start(t, e)
		users[access.User] = s
		replicas = append(replicas, s)
	}
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	harness.Eventually(t, slack, "all name the leader", func() bool {
		for _, s := range replicas {
			if _, told := s.Leader(); told.Leader != leader.Pod {
				return false
			}
		}
		return true
	})

	leases := map[string]string{"resource": "leases"}
	from, before := time.Now(), cluster.Metrics(t).Sum("apiserver_request_total", "verb", leases)
	time.Sleep(span)
	to, after := time.Now(), cluster.Metrics(t).Sum("apiserver_request_total", "verb", leases)

	asked := map[string]map[string]int{} // replica → verb → count
	opened := 0                          // watches that began
	var others float64                   // the API server keeps Leases of its own
	for _, r := range cluster.Audit.Requests(t, from, func(r harness.Request) bool { return r.Received.Before(to) }) {
		s := users[r.User]
		switch {
		case s != nil && r.Watching:
			opened++
		case s != nil:
			if asked[s.Pod] == nil {
				asked[s.Pod] = map[string]int{}
			}
			asked[s.Pod][r.Verb]++
		case !r.Watching:
			others++
		}
	}
	var counted float64
	for verb, n := range after {
		counted += n - before[verb]
	}
	rate := (counted - others) / to.Sub(from).Seconds()
	t.Logf("%.0f requests in %v by the metrics, %.0f of them by others: ours are %.2f a second; by replica: %v", counted, span, others, rate, asked)
	if rate > budget {
		t.Errorf("three replicas make %.2f requests a second, want at most %.2f", rate, budget)
	}
	if opened != 0 {
		t.Errorf("%d watches were opened in the minute, want none: they stand", opened)
	}
	if asked[leader.Pod]["update"] == 0 {
		t.Error("the leader has not renewed: nothing was measured")
	}
	for _, s := range harness.Others(replicas, leader) {
		if len(asked[s.Pod]) != 0 {
			t.Errorf("the standby %s asked for %v, want nothing but its watch", s.Pod, asked[s.Pod])
		}
	}
	if same, _ := leader.Told(); !same {
		t.Error("the leader changed within the minute: it was not idle")
	}
}
