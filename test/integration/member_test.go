//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// memberDuration is the members' duration in these tests; the default is 40 s.
const memberDuration = 6 * time.Second

// startMember starts the replica of a pod, with a token that is bound to it.
func startMember(t *testing.T, e *harness.Election, pod *corev1.Pod) *harness.Sidecar {
	t.Helper()
	s := e.Prepare(t, pod.Name)
	s.UID, s.Kubeconfig = string(pod.UID), e.Access.BoundTo(t, pod).Kubeconfig(t, e.Cluster.Host())
	s.Env = append(s.Env, "POD_LABEL_POD_TEMPLATE_HASH=a")
	s.Start(t, e)
	return s
}

// members returns the pods that a replica lists; nil where it does not answer.
func members(s *harness.Sidecar) []string {
	response, err := http.Get("http://" + s.HTTP + "/members") //nolint:noctx // a process of the test
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	d := membership.Document{}
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&d) != nil {
		return nil
	}
	pods := []string{}
	for _, m := range d.Members {
		pods = append(pods, m.Pod)
	}
	return pods
}

// awaitMembers waits until each of the replicas lists exactly them, and returns how long that took.
func awaitMembers(t *testing.T, bound time.Duration, replicas []*harness.Sidecar, since time.Time) time.Duration {
	t.Helper()
	var want []string
	for _, s := range replicas {
		want = append(want, s.Pod)
	}
	slices.Sort(want)
	harness.Eventually(t, bound, fmt.Sprintf("each of %v lists all of them and no other", want), func() bool {
		return !slices.ContainsFunc(replicas, func(s *harness.Sidecar) bool { return !slices.Equal(members(s), want) })
	})
	return time.Since(since)
}

// TestMembers has five replicas with bound tokens, under both policies: they are listed, and a killed one, a planned stop, a restart and
// the sweep do what the documentation says.
func TestMembers(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second, harness.MemberRules(true)...)
	e.Flags = []string{
		"--membership", "--member-duration", memberDuration.String(), "--member-renew-interval", "2s",
		"--member-sweep", "--member-ttl", "20s", "--drain-timeout", "50ms",
	}
	e.ShipFree(t)
	applyMembership(t, e, "election-policy.yaml")
	applyMembership(t, e, "policy.yaml")
	var replicas []*harness.Sidecar
	began := time.Now()
	for i := range 5 {
		replicas = append(replicas, startMember(t, e, podOf(t, e, fmt.Sprintf("web-%d", i), nil)))
	}
	t.Logf("five members know one another %v after the first start", awaitMembers(t, slack, replicas, began).Round(time.Millisecond))
	list, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "get", "lease",
		"-l", lease.MemberSelector(e.Lease), "-L", naming.LabelPod, "-L", naming.LabelHealth, "--no-headers")
	if lines := strings.Split(strings.TrimSpace(list), "\n"); code != 0 || len(lines) != 5 || strings.Count(list, "healthy") != 5 {
		t.Errorf("kubectl get lease: status %d\n%s", code, list)
	}
	leader := harness.AwaitLeader(t, slack, replicas...)
	leases := e.Cluster.Admin.CoordinationV1().Leases(e.Namespace)

	others := harness.Others(replicas, leader)
	killed, stopped := others[0], others[1]
	dead := memberLease(t, e, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: killed.Pod}}).Name
	began = time.Now()
	killed.Stop(0)
	replicas = harness.Others(replicas, killed)
	took := awaitMembers(t, memberDuration+slack, replicas, began)
	t.Logf("a killed member is gone from /members of all others after %v; its duration is %v", took.Round(time.Millisecond), memberDuration)
	if took < memberDuration-3*time.Second {
		t.Errorf("a killed member was gone after %v: too early for a duration of %v", took, memberDuration)
	}

	began = time.Now()
	stopped.Terminate(t)
	replicas = harness.Others(replicas, stopped)
	t.Logf("a member that stops as planned is gone from all others after %v", awaitMembers(t, slack, replicas, began).Round(time.Millisecond))

	name := memberLease(t, e, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: stopped.Pod}}).Name
	before, err := leases.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods := e.Cluster.Admin.CoreV1().Pods(e.Namespace)
	if err := pods.Delete(t.Context(), stopped.Pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	again := startMember(t, e, podOf(t, e, stopped.Pod, nil))
	replicas = append(replicas, again)
	awaitMembers(t, slack, replicas, time.Now())
	after, err := leases.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if after.UID != before.UID || *after.Spec.HolderIdentity != again.Pod+"_"+again.UID || after.Annotations[naming.AnnotationJoined] == "" {
		t.Errorf("after the restart %s is held by %s, joined %q; want object %s", after.UID, *after.Spec.HolderIdentity, after.Annotations[naming.AnnotationJoined], before.UID)
	}

	harness.Eventually(t, time.Minute+slack, "the leader sweeps the killed member's Lease", func() bool {
		_, err := leases.Get(t.Context(), dead, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	awaitMembers(t, slack, replicas, time.Now())
	all, err := leases.List(t.Context(), metav1.ListOptions{LabelSelector: lease.MemberSelector(e.Lease)})
	if err != nil || len(all.Items) != len(replicas) {
		t.Errorf("%d members' Leases are left: %v, want those of the %d live ones", len(all.Items), err, len(replicas))
	}
	for _, s := range replicas {
		if said := linesOf(s, []string{"WARN", "ERROR"}, "member"); len(said) != 0 {
			t.Errorf("%s warns of members:\n%s", s.Pod, strings.Join(said, ""))
		}
	}
}

// TestMembershipOffIsFree counts the requests of a leader and a standby without membership: none is for a member's Lease.
func TestMembershipOffIsFree(t *testing.T) {
	t.Parallel()
	e, replicas, _ := elect(t, harness.Shared(t), 5*time.Second, 2)
	began := time.Now()
	time.Sleep(20 * time.Second)
	counts := map[string]int{}
	requests := e.Cluster.Audit.Requests(t, began, func(r harness.Request) bool { return r.Namespace == e.Namespace })
	for _, r := range requests {
		counts[r.Verb]++
	}
	t.Logf("%d replicas in 20 s: %v", len(replicas), counts)
	if counts["list"] != 0 || counts["create"] != 0 || counts["delete"] != 0 || counts["update"] > 25 {
		t.Errorf("requests without membership: %v, want renewals alone", counts)
	}
}

// TestMembershipWithoutRights has two replicas elect without any right to members' Leases: the election is as ever, and the log names the
// rule.
func TestMembershipWithoutRights(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Flags = []string{"--membership", "--drain-timeout", "50ms"}
	e.ShipFree(t)
	replicas := e.StartAll(t, 2)
	watch(t, replicas...)
	leader := harness.AwaitLeader(t, slack, replicas...)
	for _, s := range replicas {
		harness.Eventually(t, slack, s.Pod+" names the rule", func() bool {
			return len(linesWith(s, "MemberLeaseFailed", "verbs:")) == 1 && len(linesWith(s, "MembersNotFollowed", "verbs:")) == 1
		})
	}
	began := time.Now()
	time.Sleep(20 * time.Second)
	refused := e.Cluster.Audit.Requests(t, began, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Code == http.StatusForbidden
	})
	t.Logf("%d refused requests of 2 replicas in 20 s", len(refused))
	if len(refused) > 30 {
		t.Errorf("%d refused requests in 20 s", len(refused))
	}
	leader.StepDown(t)
	harness.AwaitLeader(t, slack, harness.Others(replicas, leader)...)
}
