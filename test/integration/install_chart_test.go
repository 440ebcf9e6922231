//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// chart is the example that users copy from.
const chart = "examples/helm/leader-web"

// stopTimeout is the default of --stop-timeout, which the chart leaves as it is, in seconds.
const stopTimeout = 30

// restricted labels a namespace whose Pods must pass the strictest Pod Security standard.
var restricted = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}

// helm runs the pinned helm as an administrator and returns what it prints.
func helm(t *testing.T, c *harness.Cluster, args ...string) string {
	t.Helper()
	home := t.TempDir()
	env := []string{"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home}
	out, code := harness.RunCommandWith(t, env, harness.Helm(t), append(args, "--kubeconfig", c.AdminKubeconfig(t))...)
	if code != 0 {
		t.Fatalf("helm %s: status %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func chartDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(harness.ModuleRoot(t), chart)
}

// TestChartInstalls puts the chart on the API server and checks what it made: a Pod that the strictest Pod
// Security standard admits, a token for the sidecar alone, and rights that suffice for an election and go no further.
func TestChartInstalls(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	for _, tc := range []struct {
		name, release string
		flags         []string
		workload      string
		prefix        string
	}{
		{name: "defaults", release: "web", workload: "deployment/web-leader-web", prefix: "lease-sidecar"},
		{
			name: "a product's own prefix", release: "shop", flags: []string{"--set", "leaseSidecar.prefix=acme"},
			workload: "deployment/shop-leader-web", prefix: "acme",
		},
		{
			name: "a name of its own", release: "x", flags: []string{"--set", "fullnameOverride=web,leaseSidecar.prefix=acme"},
			workload: "deployment/web", prefix: "acme",
		},
		{
			name: "long names", release: strings.Repeat("r", 53), flags: []string{"--set", "leaseSidecar.prefix=" + strings.Repeat("p", 52)},
			workload: "deployment/" + strings.Repeat("r", 53) + "-leader-we", prefix: strings.Repeat("p", 52),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t, restricted)
			out, code := harness.RunCommand(t, harness.Binary(t), "name", "--prefix", tc.prefix, "--workload", tc.workload)
			if code != 0 {
				t.Fatalf("lease-sidecar name: status %d\n%s", code, out)
			}
			lease := strings.TrimSpace(out)
			helm(t, c, append([]string{"install", tc.release, chartDir(t), "--namespace", ns, "--wait=hookOnly"}, tc.flags...)...)

			l, err := c.Admin.CoordinationV1().Leases(ns).Get(t.Context(), lease, metav1.GetOptions{})
			if err != nil {
				t.Fatalf("the chart's Lease is not named as lease-sidecar name prints: %v", err)
			}
			if diff := cmp.Diff(coordinationv1.LeaseSpec{}, l.Spec); diff != "" {
				t.Errorf("the shipped Lease's spec (-want +got):\n%s", diff)
			}
			if got := l.Annotations[naming.AnnotationWorkload]; got != tc.workload {
				t.Errorf("the shipped Lease is annotated for %q, want %q", got, tc.workload)
			}
			if got := l.Labels[naming.LabelElection]; got != "true" {
				t.Errorf("the shipped Lease has the election label %q, want true", got)
			}
			name := strings.TrimPrefix(tc.workload, "deployment/")
			d, err := c.Admin.AppsV1().Deployments(ns).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkTokenOfSidecarAlone(t, d)
			if grace := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; grace <= stopTimeout { // the API server fills it in
				t.Errorf("the Pod's grace period is %d s, want more than the sidecar's stop timeout, %d s", grace, stopTimeout)
			}
			// Nothing makes Pods of Deployments here, so that admission must be asked with a Pod of our own.
			pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
			pod.GenerateName = "web-"
			if _, err := c.Admin.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Errorf("the Deployment's Pod is not admitted: %v", err)
			}
			role, err := c.Admin.RbacV1().Roles(ns).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(harness.DocumentedRules(lease), role.Rules); diff != "" {
				t.Errorf("the chart's Role (-documented +chart):\n%s", diff)
			}
		})
	}
}

// checkTokenOfSidecarAlone checks who mounts what: the application sees the signal directory, read-only and whole,
// and no token.
func checkTokenOfSidecarAlone(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	spec := d.Spec.Template.Spec
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Error("the ServiceAccount's token is mounted into every container")
	}
	var app []string
	for _, m := range spec.Containers[0].VolumeMounts {
		app = append(app, fmt.Sprintf("%s %s readOnly=%v subPath=%q", m.Name, m.MountPath, m.ReadOnly, m.SubPath))
	}
	want := []string{`lease-signal /var/run/lease-sidecar readOnly=true subPath=""`}
	if diff := cmp.Diff(want, app); diff != "" {
		t.Errorf("the application's mounts (-want +got):\n%s", diff)
	}
}

// TestChartRefusesValues checks that mistakes in values are named before anything is installed.
func TestChartRefusesValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ set, want string }{
		{"leaseSidecar.prefix=Acme", "prefix"},
		{"leaseSidecar.leaseDuration=1500ms", "leaseDuration"},
		{"leaseSidecar.leaseDuration=2s", "leaseDuration"},
		{"leaseSidecar.signalDirectory=/x", "signalDirectory"},
		{"leaseSidecar.image.tag=latest", "tag"},
		{"replicas=2", "replicas"},
	} {
		out, code := harness.RunCommand(t, harness.Helm(t), "template", "web", chartDir(t), "--set", tc.set)
		if code == 0 || !strings.Contains(out, tc.want) {
			t.Errorf("--set %s: status %d, want a refusal that names %q:\n%.500s", tc.set, code, tc.want, out)
		}
	}
}

// TestChartUpgradeKeepsTheTerm upgrades a release while a leader holds its Lease: what the sidecars wrote stays.
func TestChartUpgradeKeepsTheTerm(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	ns := c.Namespace(t, restricted)
	install := []string{chartDir(t), "--namespace", ns, "--wait=hookOnly", "--set", "fullnameOverride=web,leaseSidecar.prefix=acme"}
	helm(t, c, append([]string{"install", "web"}, install...)...)

	e := harness.InNamespace(t, c, ns, 9*time.Second)
	e.Access = c.AccessOf(t, ns, "web")
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	_, token := s.Leads()
	before := e.Read(t)
	helm(t, c, append(append([]string{"upgrade", "web"}, install...), "--set", "replicaCount=5,podLabels.tier=front")...)

	after := e.Read(t)
	if before.UID != after.UID {
		t.Error("the upgrade made a new Lease")
	}
	if diff := cmp.Diff(before.Annotations, after.Annotations); diff != "" {
		t.Errorf("the Lease's annotations over the upgrade (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Spec.HolderIdentity, after.Spec.HolderIdentity); diff != "" {
		t.Errorf("the holder over the upgrade (-before +after):\n%s", diff)
	}
	awaitRenewal(t, s)
	if leads, same := s.Leads(); !leads || same != token {
		t.Errorf("after the upgrade: leading %v with token %s, want true with token %s", leads, same, token)
	}
}

// TestRollingUpdate replaces three replicas one by one, as a Deployment does: somebody leads between any two steps,
// never two at once, and lost races stay few.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Ship(t)
	e.Flags = promised
	replicas := e.StartAll(t, 3)
	witness := watch(t, replicas...)
	harness.AwaitLeader(t, e.Duration+slack, replicas...)
	began := time.Now()
	for i, old := range replicas {
		fresh := e.Start(t, fmt.Sprintf("web-new-%d", i))
		witness.Add(fresh)
		harness.Eventually(t, slack, "the new replica is ready", func() bool { return fresh.ProbeStatus("/readyz") == http.StatusOK })
		stopped := now()
		old.Terminate(t)
		replicas[i] = fresh
		leader := harness.AwaitLeader(t, e.Duration, replicas...)
		// Where the old one led, its Lease was released: who leads now did not wait for it to expire.
		if waited := sent(e, leader).Sub(stopped); waited > e.Duration/2 {
			t.Errorf("step %d: a leader after %v, want at once", i, waited)
		}
	}
	handovers := len(witness.Terms("state"))
	conflicts := e.Cluster.Audit.Requests(t, began, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Verb == "update" && r.Code == http.StatusConflict
	})
	if most := 3 * (handovers + 1); len(conflicts) > most {
		t.Errorf("%d conflicts over %d handovers, want at most %d", len(conflicts), handovers, most)
	}
}
