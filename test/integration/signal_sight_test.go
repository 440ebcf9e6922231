//go:build linux

package integration

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// watching makes an election whose replicas watch their own pods, with the documented right where it is given.
func watching(t *testing.T, rules ...rbacv1.PolicyRule) *harness.Election {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second, rules...)
	e.Flags = []string{"--watch-pod", "--placement", "classic"}
	e.Ship(t)
	return e
}

// podWithSidecar makes a Pod of two main containers and the sidecar, on a node that nobody runs: the API server then
// leaves its end to a kubelet, whose part the test has.
func podWithSidecar(t *testing.T, e *harness.Election, name string) *corev1.Pod {
	t.Helper()
	always := corev1.ContainerRestartPolicyAlways
	image := "registry.example.com/web:1"
	return createPod(t, e, metav1.ObjectMeta{Name: name}, corev1.PodSpec{
		NodeName:       "nowhere",
		InitContainers: []corev1.Container{{Name: "setup", Image: image}, {Name: "lease-sidecar", Image: image, RestartPolicy: &always}},
		Containers:     []corev1.Container{{Name: "web", Image: image}, {Name: "log", Image: image}},
	})
}

// reports has the kubelet say which containers of a Pod have terminated.
func reports(t *testing.T, e *harness.Election, name string, terminated ...string) {
	t.Helper()
	pod := readPod(t, e, name)
	status := func(container string) corev1.ContainerStatus {
		s := corev1.ContainerStatus{Name: container, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
		if slices.Contains(terminated, container) {
			s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}
		}
		return s
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status("web"), status("log")}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{status("setup"), status("lease-sidecar")}
	if _, err := e.Cluster.Admin.CoreV1().Pods(e.Namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("report the Pod's status: %v", err)
	}
}

// TestThePodsOwnStatusIsSeen deletes the leader's Pod and ends its sidecar. The Lease is kept, also beyond the term's
// validity, until the kubelet has reported that the last container of the workload has terminated.
func TestThePodsOwnStatusIsSeen(t *testing.T) {
	t.Parallel()
	e := watching(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}})
	var replicas []*harness.Sidecar
	for _, name := range []string{"web-0", "web-1"} {
		replicas = append(replicas, startIn(t, e, podWithSidecar(t, e, name)))
		reports(t, e, name, "setup")
	}
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	heir := harness.Others(replicas, leader)[0]
	if err := e.Cluster.Admin.CoreV1().Pods(e.Namespace).Delete(t.Context(), leader.Pod, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	strike(t, syscall.SIGTERM, leader.PID())
	reports(t, e, leader.Pod, "setup", "web")
	harness.Throughout(t, 2*e.Duration, "the other replica does not lead while a container runs", func() bool {
		leads, _ := heir.Leads()
		return !leads
	})
	began := now()
	reports(t, e, leader.Pod, "setup", "web", "log")
	harness.AwaitLeader(t, e.Duration+slack, heir)
	t.Logf("the next replica leads %s after the kubelet's report", now().Sub(began))
	leader.AwaitExit(t, slack, 0)
	if !strings.Contains(leader.Log(), "(pod)") {
		t.Errorf("the log does not say that the pod's status was seen:\n%s", leader.Log())
	}
}

// TestThePodsStatusIsForbidden says which right is missing, and hands over as if nobody had looked.
func TestThePodsStatusIsForbidden(t *testing.T) {
	t.Parallel()
	e := watching(t)
	leader := startIn(t, e, podWithSidecar(t, e, "web-0"))
	harness.AwaitLeader(t, e.Duration+slack, leader)
	leader.Terminate(t)
	leader.AwaitExit(t, slack, 0)
	if !strings.Contains(leader.Log(), "verbs: [") || !strings.Contains(leader.Log(), "want this rule in the Role") {
		t.Errorf("the log does not say which rule is missing:\n%s", leader.Log())
	}
}
