//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// applyMembership applies a file of examples/membership with kubectl, for the election's account and namespace.
func applyMembership(t *testing.T, e *harness.Election, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), "examples", "membership", file))
	if err != nil {
		t.Fatal(err)
	}
	adapted := strings.NewReplacer(":default:web", ":"+e.Namespace+":web", "default-web-", e.Namespace+"-web-", "acme-752b7817f6", e.Lease).Replace(string(text))
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(adapted), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "apply", "-f", path)
	if code != 0 {
		t.Fatalf("kubectl apply -f %s: status %d\n%s", file, code, out)
	}
}

// leasesOf returns a client of the election's Leases with that access.
func leasesOf(t *testing.T, e *harness.Election, a harness.Access) typed.LeaseInterface {
	t.Helper()
	client, err := kubernetes.NewForConfig(a.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client.CoordinationV1().Leases(e.Namespace)
}

// memberLease is the identity Lease that a pod makes.
func memberLease(t *testing.T, e *harness.Election, pod *corev1.Pod) *coordinationv1.Lease {
	t.Helper()
	name, err := naming.MemberLeaseName(naming.LeaseName(e.Lease), pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: string(name), Labels: map[string]string{
			naming.LabelMemberOf: e.Lease, naming.LabelPod: pod.Name, naming.LabelPodUID: string(pod.UID), naming.LabelHealth: "healthy",
		}},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: new(pod.Name + "_" + string(pod.UID)), LeaseDurationSeconds: new(int32(40))},
	}
}

// verdict says how an attempt at a right ended.
func verdict(t *testing.T, name string, admitted bool, err error) {
	t.Helper()
	switch {
	case admitted && err != nil:
		t.Errorf("%s: %v, want it admitted", name, err)
	case !admitted && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "this account")):
		t.Errorf("%s: %v, want it refused by the policy", name, err)
	}
}

// awaitPolicy waits until a policy is in force: until then the attempt is not refused by it.
func awaitPolicy(t *testing.T, attempt func(n int) error) {
	t.Helper()
	n := 0
	harness.Eventually(t, slack, "the policy is in force", func() bool {
		n++
		err := attempt(n)
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "this account")
	})
}

// TestMemberPolicy tries, with real tokens that are bound to pods, what the policy of members must admit and refuse.
func TestMemberPolicy(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second, harness.MemberRules(true)...)
	e.Ship(t)
	applyMembership(t, e, "policy.yaml")
	a, b := podOf(t, e, "web-0", nil), podOf(t, e, "web-1", nil)
	asA, asB := leasesOf(t, e, e.Access.BoundTo(t, a)), leasesOf(t, e, e.Access.BoundTo(t, b))
	unbound, admin := leasesOf(t, e, e.Access), e.Cluster.Admin.CoordinationV1().Leases(e.Namespace)
	awaitPolicy(t, func(n int) error {
		l := memberLease(t, e, a)
		l.Name = fmt.Sprintf("probe-%d", n)
		_, err := asA.Create(t.Context(), l, metav1.CreateOptions{})
		return err
	})

	// What is made: each attempt changes what pod web-0 may make.
	for _, c := range []struct {
		name     string
		by       typed.LeaseInterface
		change   func(*coordinationv1.Lease)
		admitted bool
	}{
		{"a token bound to no pod", unbound, func(*coordinationv1.Lease) {}, false},
		{"another pod's token", asB, func(*coordinationv1.Lease) {}, false},
		{"another Lease", asA, func(l *coordinationv1.Lease) { l.Name = "kube-scheduler" }, false},
		{"a name of another form", asA, func(l *coordinationv1.Lease) { l.Name = e.Lease + "-x" }, false},
		{"no label", asA, func(l *coordinationv1.Lease) { l.Labels = nil }, false},
		{"another election", asA, func(l *coordinationv1.Lease) { l.Labels[naming.LabelMemberOf] = "other" }, false},
		{"the label of elections", asA, func(l *coordinationv1.Lease) { l.Labels[naming.LabelElection] = "true" }, false},
		{"another pod's name", asA, func(l *coordinationv1.Lease) { l.Labels[naming.LabelPod] = "web-1" }, false},
		{"another pod's UID", asA, func(l *coordinationv1.Lease) { l.Labels[naming.LabelPodUID] = string(b.UID) }, false},
		{"another holder", asA, func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "web-1_" + string(b.UID) }, false},
		{"a holder that begins alike", asA, func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "web-01_x" }, false},
		{"no holder", asA, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil }, false},
		{"its own", asA, func(*coordinationv1.Lease) {}, true},
	} {
		l := memberLease(t, e, a)
		c.change(l)
		_, err := c.by.Create(t.Context(), l, metav1.CreateOptions{})
		verdict(t, "create with "+c.name, c.admitted, err)
	}

	// What is written over it.
	own := memberLease(t, e, a).Name
	for _, c := range []struct {
		name     string
		by       typed.LeaseInterface
		change   func(*coordinationv1.Lease)
		admitted bool
	}{
		{"a renewal", asA, func(l *coordinationv1.Lease) { l.Spec.RenewTime = new(metav1.NowMicro()) }, true},
		{"a random identity of the pod", asA, func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "web-0_5f0e1a52-0000-4000-8000-000000000000" }, true},
		{"another pod's renewal", asB, func(l *coordinationv1.Lease) { l.Spec.RenewTime = new(metav1.NowMicro()) }, false},
		{"another pod that takes it over", asB, func(l *coordinationv1.Lease) {
			mine := memberLease(t, e, b)
			l.Labels, l.Spec = mine.Labels, mine.Spec
		}, false},
		{"another pod that clears it", asB, func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "" }, false},
		{"the label taken off", asA, func(l *coordinationv1.Lease) { delete(l.Labels, naming.LabelMemberOf) }, false},
		{"another holder", asA, func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "web-1_" + string(b.UID) }, false},
		{"its end", asA, func(l *coordinationv1.Lease) {
			*l.Spec.HolderIdentity = ""
			l.Labels[naming.LabelHealth] = "leaving"
		}, true},
		{"another pod that takes it over after its end", asB, func(l *coordinationv1.Lease) {
			mine := memberLease(t, e, b)
			l.Labels, l.Spec = mine.Labels, mine.Spec
		}, false},
		{"its return", asA, func(l *coordinationv1.Lease) { *l.Spec.HolderIdentity = "web-0_" + string(a.UID) }, true},
	} {
		l, err := admin.Get(t.Context(), own, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c.change(l)
		_, err = c.by.Update(t.Context(), l, metav1.UpdateOptions{})
		verdict(t, "update: "+c.name, c.admitted, err)
	}

	// What is deleted.
	l, err := admin.Get(t.Context(), own, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	asRead := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &l.UID, ResourceVersion: &l.ResourceVersion}}
	foreign, err := admin.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "other-program"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	verdict(t, "delete another program's Lease", false, asB.Delete(t.Context(), foreign.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &foreign.UID, ResourceVersion: &foreign.ResourceVersion},
	}))
	verdict(t, "delete a member's Lease without a condition", false, asB.Delete(t.Context(), own, metav1.DeleteOptions{}))
	verdict(t, "delete it with the UID alone", false, asB.Delete(t.Context(), own, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(l.UID))}))
	verdict(t, "delete it by a token bound to no pod", false, unbound.Delete(t.Context(), own, asRead))
	verdict(t, "delete a member's Lease as it was read", true, asB.Delete(t.Context(), own, asRead))

	// Whoever is first makes a name his own: the policy cannot compute whose it is.
	squatted := memberLease(t, e, b)
	squatted.Name = memberLease(t, e, a).Name
	_, err = asB.Create(t.Context(), squatted, metav1.CreateOptions{})
	verdict(t, "create the Lease of another pod's name", true, err)
	_, err = admin.Get(t.Context(), own, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// TestElectionPolicy tries the policy of the election's Lease, alone and without membership.
func TestElectionPolicy(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second, harness.CreateRule())
	applyMembership(t, e, "election-policy.yaml")
	a, b := podOf(t, e, "web-0", nil), podOf(t, e, "web-1", nil)
	asA, asB, unbound := leasesOf(t, e, e.Access.BoundTo(t, a)), leasesOf(t, e, e.Access.BoundTo(t, b)), leasesOf(t, e, e.Access)
	nobody := func() *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: e.Lease}}
	}
	held := nobody()
	held.Spec.HolderIdentity = new("web-0_" + string(a.UID))
	awaitPolicy(t, func(int) error {
		_, err := asA.Create(t.Context(), held, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
	_, err := unbound.Create(t.Context(), nobody(), metav1.CreateOptions{})
	verdict(t, "create by a token bound to no pod", false, err)
	_, err = asA.Create(t.Context(), nobody(), metav1.CreateOptions{})
	verdict(t, "create without a holder", true, err)
	hold := func(holder string) func(*coordinationv1.Lease) {
		return func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = &holder }
	}
	for _, c := range []struct {
		name     string
		by       typed.LeaseInterface
		change   func(*coordinationv1.Lease)
		admitted bool
	}{
		{"a take in another's name", asA, hold("web-1_" + string(b.UID)), false},
		{"a take in no pod's name", asA, hold("evil"), false},
		{"a take by a token bound to no pod", unbound, hold("web-0_" + string(a.UID)), false},
		{"a forged release", asA, hold(""), false},
		{"a take", asA, hold("web-0_" + string(a.UID)), true},
		{"another pod's release", asB, hold(""), false},
		{"another pod's renewal of it", asB, func(l *coordinationv1.Lease) { l.Spec.RenewTime = new(metav1.NowMicro()) }, false},
		{"a renewal", asA, func(l *coordinationv1.Lease) { l.Spec.RenewTime = new(metav1.NowMicro()) }, true},
		{"an owner that is gone", asA, func(l *coordinationv1.Lease) {
			l.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "gone", UID: "5f0e1a52-0000-4000-8000-000000000000"}}
		}, false},
		{"a finalizer", asA, func(l *coordinationv1.Lease) { l.Finalizers = []string{"example.com/never"} }, false},
		{"a release", asA, hold(""), true},
		{"another pod's take", asB, hold("web-1_5f0e1a52-0000-4000-8000-000000000000"), true},
	} {
		l := e.Read(t)
		c.change(l)
		_, err := c.by.Update(t.Context(), l, metav1.UpdateOptions{})
		verdict(t, "update: "+c.name, c.admitted, err)
	}
	e.Access.SetRules(t, harness.MemberRules(true)...)
	harness.Eventually(t, slack, "the rights are in force", func() bool {
		err := asA.Delete(t.Context(), "no-such-lease", metav1.DeleteOptions{})
		return apierrors.IsNotFound(err)
	})
	verdict(t, "delete the election's Lease", false, asA.Delete(t.Context(), e.Lease, metav1.DeleteOptions{}))

	// A real sidecar elects under it.
	e.Edit(t, func(l *coordinationv1.Lease) { l.Spec = coordinationv1.LeaseSpec{} })
	first := e.Prepare(t, a.Name)
	first.UID, first.Kubeconfig = string(a.UID), e.Access.BoundTo(t, a).Kubeconfig(t, e.Cluster.Host())
	first.Start(t, e)
	harness.AwaitLeader(t, 2*e.Duration+slack, first)
	first.Terminate(t)
	if holder := e.Holder(t); holder != "" {
		t.Errorf("after the end the Lease is held by %q, want it released", holder)
	}
}
