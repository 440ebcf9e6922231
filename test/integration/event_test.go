//go:build linux

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestEventsOnTheLease shows both Events of a term in client-go's form, found as kubectl describe finds them.
func TestEventsOnTheLease(t *testing.T) {
	t.Parallel()
	e := harness.InNamespace(t, harness.Shared(t), harness.Shared(t).Namespace(t, nil), 3*time.Second)
	e.Access = e.Cluster.Grant(t, e.Namespace, "web", append(harness.DocumentedRules(e.Lease),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}})...)
	e.Flags = []string{"--events"}
	e.Ship(t)
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	identity := s.State().Identity
	// A term that ends before its Event is sent leaves none.
	harness.Eventually(t, slack, "the beginning is recorded", func() bool {
		list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 1
	})
	s.Terminate(t)

	lease := e.Read(t)
	list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Lease,involvedObject.name=" + e.Lease + ",involvedObject.uid=" + string(lease.UID),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, event := range list.Items {
		got = append(got, event.Type+" "+event.Reason+" "+event.InvolvedObject.APIVersion+" "+event.Message+" by "+event.Source.Component)
		if age := time.Since(event.FirstTimestamp.Time); age < 0 || age > time.Minute || event.Count != 1 {
			t.Errorf("event %q: first seen %v ago, %d times", event.Message, age, event.Count)
		}
	}
	want := []string{
		"Normal LeaderElection coordination.k8s.io/v1 " + identity + " became leader by lease-sidecar",
		"Normal LeaderElection coordination.k8s.io/v1 " + identity + " stopped leading by lease-sidecar",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	out, _ := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "describe", "lease", e.Lease)
	if !strings.Contains(out, identity+" became leader") {
		t.Errorf("kubectl describe lease does not show the Event:\n%s", out)
	}
}

// TestEventsWithoutRights shows that Events are best effort: a refusal is said once and changes nothing.
func TestEventsWithoutRights(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Flags = []string{"--events"}
	e.Ship(t)
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	const want = "event given up"
	harness.Eventually(t, slack, "the log says so", func() bool { return strings.Contains(s.Log(), want) })
	s.Terminate(t)
	if got := strings.Count(s.Log(), want); got != 2 {
		t.Errorf("the log says %q %d times, want once for each end of the term:\n%s", want, got, s.Tail(20))
	}
}
