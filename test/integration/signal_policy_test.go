//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// attempts are patches of a Pod by the sidecar's ServiceAccount, and whether the policy lets them pass.
var attempts = []struct {
	name, pod, patch string
	admitted         bool
}{
	{"the label and its annotation", "web-0", `{"metadata":{"labels":{"lease-sidecar.dev/role":"leader"},"annotations":{"lease-sidecar.dev/role":"x"}}}`, true},
	{"both off", "web-0", `{"metadata":{"labels":{"lease-sidecar.dev/role":null},"annotations":{"lease-sidecar.dev/role":null}}}`, true},
	{"the image", "web-0", `{"spec":{"containers":[{"name":"web","image":"registry.example.com/evil:1"}]}}`, false},
	{"the label and the image", "web-0", `{"metadata":{"labels":{"lease-sidecar.dev/role":"leader"}},"spec":{"containers":[{"name":"web","image":"registry.example.com/evil:1"}]}}`, false},
	{"the time that it may run", "web-0", `{"spec":{"activeDeadlineSeconds":1}}`, false},
	{"the label with another value", "web-0", `{"metadata":{"labels":{"lease-sidecar.dev/role":"admin"}}}`, false},
	{"another label", "web-0", `{"metadata":{"labels":{"app":"evil"}}}`, false},
	{"another label off", "web-0", `{"metadata":{"labels":{"app":null}}}`, false},
	{"all labels off", "web-0", `{"metadata":{"labels":null}}`, false},
	{"another annotation", "web-0", `{"metadata":{"annotations":{"kubectl.kubernetes.io/default-container":"evil"}}}`, false},
	{"a finalizer", "web-0", `{"metadata":{"finalizers":["example.com/stuck"]}}`, false},
	{"an owner", "web-0", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"1"}]}}`, false},
	{"the label of another account's Pod", "other-0", `{"metadata":{"labels":{"lease-sidecar.dev/role":"leader"}}}`, false},
}

// checkPolicy tries what the policy must admit and refuse. A policy takes effect a moment after it was made.
func checkPolicy(t *testing.T, e *harness.Election) {
	t.Helper()
	client, err := kubernetes.NewForConfig(e.Access.Config())
	if err != nil {
		t.Fatal(err)
	}
	podOf(t, e, "web-0", map[string]string{"app": "web"})
	other := *e
	other.Access.Account = "default"
	_, err = e.Cluster.Admin.CoreV1().ServiceAccounts(e.Namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	podOf(t, &other, "other-0", nil)
	try := func(pod, patch string) error {
		_, err := client.CoreV1().Pods(e.Namespace).Patch(t.Context(), pod, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
	n := 0
	harness.Eventually(t, slack, "the policy is in force", func() bool {
		n++ // a patch that changes nothing passes
		return apierrors.IsForbidden(try("web-0", fmt.Sprintf(`{"metadata":{"labels":{"probe":"%d"}}}`, n)))
	})
	for _, a := range attempts {
		err := try(a.pod, a.patch)
		switch {
		case a.admitted && err != nil:
			t.Errorf("%s: %v, want it admitted", a.name, err)
		case !a.admitted && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "this account may")):
			t.Errorf("%s: %v, want it refused by the policy", a.name, err)
		}
	}
}

// applyExample applies a file of the examples with kubectl, for another account and namespace than it is written for.
func applyExample(t *testing.T, e *harness.Election, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), "examples", "pod-label", file))
	if err != nil {
		t.Fatal(err)
	}
	adapted := strings.NewReplacer(":default:web", ":"+e.Namespace+":web", "default.web.", e.Namespace+".web.").Replace(string(text))
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(adapted), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "apply", "-f", path)
	if code != 0 {
		t.Fatalf("kubectl apply -f %s: status %d\n%s", file, code, out)
	}
}

// TestLabelPolicy applies the example as a user would, and tries the account's rights: the label passes, and nothing
// else does. A sidecar with exactly those rights labels its pod.
func TestLabelPolicy(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Flags = []string{"--label", roleLabel}
	e.Ship(t)
	for _, file := range []string{"role.yaml", "policy.yaml", "service.yaml"} {
		applyExample(t, e, file)
	}
	checkPolicy(t, e)

	s := startIn(t, e, podOf(t, e, "web-1", nil))
	awaitBearer(t, e, e.Duration+slack, s)
	s.Terminate(t)
	if got := bearers(t, e); len(got) != 0 {
		t.Errorf("after the handover %v bear the label, want none: it is taken off before the release", got)
	}
}

// TestLabelChart installs the chart with the label and the Events switched on.
func TestLabelChart(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	ns := c.Namespace(t, nil)
	helm(t, c, "install", "web", chartDir(t, "leader-web"), "--namespace", ns, "--set",
		"fullnameOverride=web,leaseSidecar.prefix=acme,leaseSidecar.label=lease-sidecar\\.dev/role,leaseSidecar.events=true")
	d, err := c.Admin.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	args := d.Spec.Template.Spec.InitContainers[0].Args
	for _, want := range []string{"--label=lease-sidecar.dev/role", "--events=true"} {
		if !slices.Contains(args, want) {
			t.Errorf("the sidecar's arguments %v lack %s", args, want)
		}
	}
	e := harness.InNamespace(t, c, ns, 5*time.Second)
	e.Access = c.AccessOf(t, ns, "web")
	role, err := c.Admin.RbacV1().Roles(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Equal(r.Resources, []string{"events"}) }) {
		t.Errorf("the chart's Role lacks events: %+v", role.Rules)
	}
	checkPolicy(t, e)
}
