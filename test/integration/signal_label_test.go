//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// roleLabel is what the documentation asks users to take.
const roleLabel, roleSelector = "lease-sidecar.dev/role", "lease-sidecar.dev/role=leader"

// podRule is the documented addition for the label.
func podRule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "patch"}}
}

// eventRule is the documented addition for Events.
func eventRule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}}
}

// labelling makes an election whose replicas label their pods.
func labelling(t *testing.T, duration time.Duration, more ...rbacv1.PolicyRule) *harness.Election {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), duration, append(more, podRule())...)
	e.Flags = []string{"--label", roleLabel, "--drain-timeout", "1ms"}
	e.Ship(t)
	return e
}

// podOf makes the Pod of a replica, which no kubelet ever runs, with labels where some are given.
func podOf(t *testing.T, e *harness.Election, name string, labels map[string]string) *corev1.Pod {
	t.Helper()
	return createPod(t, e, metav1.ObjectMeta{Name: name, Labels: labels}, corev1.PodSpec{
		Containers: []corev1.Container{{Name: "web", Image: "registry.example.com/web:1"}},
	})
}

// createPod makes a Pod with the election's ServiceAccount.
func createPod(t *testing.T, e *harness.Election, meta metav1.ObjectMeta, spec corev1.PodSpec) *corev1.Pod {
	t.Helper()
	spec.ServiceAccountName = e.Access.Account
	pod := &corev1.Pod{ObjectMeta: meta, Spec: spec}
	pod, err := e.Cluster.Admin.CoreV1().Pods(e.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create the Pod: %v", err)
	}
	return pod
}

// readPod returns a Pod as it is stored.
func readPod(t *testing.T, e *harness.Election, name string) *corev1.Pod {
	t.Helper()
	pod, err := e.Cluster.Admin.CoreV1().Pods(e.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("read the Pod: %v", err)
	}
	return pod
}

// startIn starts the replica of a Pod.
func startIn(t *testing.T, e *harness.Election, pod *corev1.Pod) *harness.Sidecar {
	t.Helper()
	s := e.Prepare(t, pod.Name)
	s.UID = string(pod.UID)
	s.Start(t, e)
	return s
}

// startLabelled starts n replicas, each with a Pod.
func startLabelled(t *testing.T, e *harness.Election, n int) []*harness.Sidecar {
	t.Helper()
	var replicas []*harness.Sidecar
	for i := range n {
		replicas = append(replicas, startIn(t, e, podOf(t, e, fmt.Sprintf("web-%d", i), nil)))
	}
	return replicas
}

// bearers returns the names of the Pods that a Service with that selector would route to.
func bearers(t *testing.T, e *harness.Election) []string {
	t.Helper()
	list, err := e.Cluster.Admin.CoreV1().Pods(e.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: roleSelector})
	if err != nil {
		t.Fatalf("list the Pods: %v", err)
	}
	var names []string
	for _, pod := range list.Items {
		names = append(names, pod.Name)
	}
	return names
}

// labelBound is how long the label may take to follow the leader on a busy machine, all requests well.
const labelBound = 5 * time.Second

// awaitBearer waits until one of the replicas leads and its pod alone bears the label, and returns it with the time
// from the beginning of its leadership to then.
func awaitBearer(t *testing.T, e *harness.Election, bound time.Duration, replicas ...*harness.Sidecar) (*harness.Sidecar, time.Duration) {
	t.Helper()
	leader := harness.AwaitLeader(t, bound, replicas...)
	began := now()
	harness.Eventually(t, slack, leader.Pod+" leads, and its pod alone bears the label", func() bool {
		return slices.Equal(bearers(t, e), []string{leader.Pod})
	})
	return leader, now().Sub(began)
}

// TestLabelFollowsTheLeader hands over 50 times. Soon after each, exactly one pod bears the label, the leader's: mostly within
// a second, and always within labelBound.
func TestLabelFollowsTheLeader(t *testing.T) {
	t.Parallel()
	const handovers = 50
	e := labelling(t, 15*time.Second)
	replicas := startLabelled(t, e, 8) // one that has released rests for 5 s
	leader, _ := awaitBearer(t, e, e.Duration+slack, replicas...)
	var times []time.Duration
	for range handovers {
		leader.StepDown(t)
		next, took := awaitBearer(t, e, slack, harness.Others(replicas, leader)...)
		times = append(times, took)
		leader = next
	}
	slices.Sort(times)
	t.Logf("from the next leader's file to one pod with the label: p50 %v, p90 %v, longest %v", times[handovers/2], times[handovers*9/10], times[handovers-1])
	if median, longest := times[handovers/2], times[handovers-1]; median > time.Second || longest > labelBound {
		t.Errorf("a handover took %v, the longest %v, until exactly one pod bore the label; want at most 1s and %v", median, longest, labelBound)
	}
}

// TestLabelOfACrashedLeader shows that the next leader takes the label from one that cannot any more.
func TestLabelOfACrashedLeader(t *testing.T) {
	t.Parallel()
	e := labelling(t, 3*time.Second)
	replicas := startLabelled(t, e, 3)
	dead, _ := awaitBearer(t, e, e.Duration+slack, replicas...)
	dead.Stop(0)
	if got := bearers(t, e); !slices.Equal(got, []string{dead.Pod}) {
		t.Fatalf("after the crash %v bear the label, want still %s: nothing is shown otherwise", got, dead.Pod)
	}
	heir, took := awaitBearer(t, e, e.Duration+slack, harness.Others(replicas, dead)...)
	if took > labelBound {
		t.Errorf("the label went from %s to %s in %v, want within %v", dead.Pod, heir.Pod, took, labelBound)
	}
	pod := readPod(t, e, dead.Pod)
	if _, marked := pod.Annotations[roleLabel]; marked {
		t.Errorf("the crashed leader's pod still has the annotation: %v", pod.Annotations)
	}
}

// TestLabelOfTwoWorkloads shows that two elections in one namespace leave each other's pods alone, though they use the
// same label, and that a label of unknown origin is left alone as well.
func TestLabelOfTwoWorkloads(t *testing.T) {
	t.Parallel()
	e := labelling(t, 5*time.Second)
	podOf(t, e, "stranger", map[string]string{roleLabel: "leader"})
	web := startLabelled(t, e, 2)
	other := *e
	other.Workload, other.Lease = "deployment/api", "acme-api"
	other.Flags = append([]string{"--lease-name", other.Lease}, e.Flags...)
	other.Ship(t)
	e.Access.SetRules(t, append(append(harness.DocumentedRules(e.Lease), harness.DocumentedRules(other.Lease)...), podRule())...)
	api := []*harness.Sidecar{startIn(t, &other, podOf(t, e, "api-0", nil)), startIn(t, &other, podOf(t, e, "api-1", nil))}

	for range 3 {
		first, second := harness.AwaitLeader(t, e.Duration+slack, web...), harness.AwaitLeader(t, e.Duration+slack, api...)
		want := []string{second.Pod, "stranger", first.Pod}
		harness.Eventually(t, slack, fmt.Sprintf("%v bear the label", want), func() bool { return slices.Equal(bearers(t, e), want) })
		first.Post("/step-down")
		harness.Eventually(t, slack, first.Pod+" has stepped down", func() bool { leads, _ := first.Leads(); return !leads })
		harness.AwaitLeader(t, slack, harness.Others(web, first)...)
	}
}

// TestLabelWithoutRights shows that a signal which is refused holds up neither election nor handover, and says why.
func TestLabelWithoutRights(t *testing.T) {
	t.Parallel()
	e := labelling(t, 15*time.Second)
	e.Access.SetRules(t, harness.DocumentedRules(e.Lease)...)
	replicas := startLabelled(t, e, 2)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	heir := harness.Others(replicas, leader)[0]
	stopped := now()
	leader.Terminate(t)
	harness.AwaitLeader(t, e.Duration, heir)
	if took := now().Sub(stopped); took > e.Duration/3 {
		t.Errorf("the handover took %v, want at once", took)
	}
	if want := `verbs: [\"get\", \"list\", \"patch\"]`; !strings.Contains(leader.Log(), want) {
		t.Errorf("the log does not name the missing rule (%s):\n%s", want, leader.Tail(10))
	}
}

// TestLabelCleansUp shows that a standby takes the label off its own pod at its start, that a namesake of its pod is
// left alone, and that a key of the workload's own is never touched.
func TestLabelCleansUp(t *testing.T) {
	t.Parallel()
	e := labelling(t, 5*time.Second)
	web := startLabelled(t, e, 1)
	awaitBearer(t, e, e.Duration+slack, web...)

	t.Log("a standby's pod")
	standby := startIn(t, e, podOf(t, e, "web-7", map[string]string{roleLabel: "leader"}))
	harness.Eventually(t, slack, "the standby's pod is cleared", func() bool { return slices.Equal(bearers(t, e), []string{"web-0"}) })

	t.Log("a namesake's pod, a key in use")
	namesake := podOf(t, e, "web-8", map[string]string{roleLabel: "leader"})
	namesake.UID = types.UID("00000000-0000-4000-8000-000000000000")
	other := startIn(t, e, namesake)
	taken := startIn(t, e, podOf(t, e, "web-9", map[string]string{roleLabel: "reader"}))
	harness.Eventually(t, slack, "the sidecar says that the key is taken", func() bool {
		return strings.Contains(taken.Log(), "has "+roleLabel+"=reader already")
	})
	web[0].Terminate(t)
	harness.AwaitLeader(t, slack, taken, other, standby) // whoever it is, it has nothing to do with these
	for _, name := range []string{"web-8", "web-9"} {
		pod := readPod(t, e, name)
		if want := map[string]string{"web-8": "leader", "web-9": "reader"}[name]; pod.Labels[roleLabel] != want {
			t.Errorf("the label of %s is %q, want %q as it was", name, pod.Labels[roleLabel], want)
		}
	}
}
