//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// stopTimeout is the default of --stop-timeout, which the charts leave as it is, in seconds.
const stopTimeout = 30

// restricted labels a namespace whose Pods must pass the strictest Pod Security standard.
var restricted = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}

// helm runs the pinned helm as an administrator and returns what it prints.
func helm(t *testing.T, c *harness.Cluster, args ...string) string {
	t.Helper()
	return runHelm(t, c, harness.Helm(t), args...)
}

// runHelm is helm with one of both.
func runHelm(t *testing.T, c *harness.Cluster, binary string, args ...string) string {
	t.Helper()
	home := t.TempDir()
	env := []string{"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home}
	out, code := harness.RunCommandWith(t, env, binary, append(args, "--kubeconfig", c.AdminKubeconfig(t))...)
	if code != 0 {
		t.Fatalf("helm %s: status %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// helms are both helms by their names.
func helms(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"helm 4": harness.Helm(t), "helm 3": harness.Helm3(t)}
}

// chartDir returns the folder of a chart.
func chartDir(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(harness.ModuleRoot(t), "examples", "helm", name)
}

// TestChartInstalls puts the charts on the API server and checks what they made: Pods that the strictest Pod Security standard admits, and
// rights that suffice for an election and go no further. What they leave behind is nothing.
func TestChartInstalls(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	label := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "patch"}}
	members := rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch", "create", "update"}}
	for _, tc := range []struct {
		name, helm, chart, release, set string
		workload, prefix                string
		more                            []rbacv1.PolicyRule
	}{
		{name: "defaults", helm: "helm 4", chart: "leader-web", release: "web", workload: "deployment/web-leader-web", prefix: "lease-sidecar"},
		{name: "defaults, helm 3", helm: "helm 3", chart: "leader-web", release: "web", workload: "deployment/web-leader-web", prefix: "lease-sidecar"},
		{
			name: "a name of its own", helm: "helm 4", chart: "leader-web", release: "x", set: "fullnameOverride=web,leaseSidecar.prefix=acme",
			workload: "deployment/web", prefix: "acme",
		},
		{
			name: "long names", helm: "helm 4", chart: "leader-web", release: strings.Repeat("r", 53), set: "leaseSidecar.prefix=" + strings.Repeat("p", 52),
			workload: "deployment/" + strings.Repeat("r", 53) + "-leader-we", prefix: strings.Repeat("p", 52),
		},
		{
			name: "classic, with a leader's Service", helm: "helm 3", chart: "leader-web", release: "shop", prefix: "acme", workload: "deployment/shop-leader-web",
			set: "leaseSidecar.prefix=acme,leaseSidecar.mode=classic,leaderService.enabled=true,leaseSidecar.networkPolicy.enabled=true", more: []rbacv1.PolicyRule{label},
		},
		{
			name: "with membership", helm: "helm 4", chart: "leader-web", release: "shop", set: "leaseSidecar.membership.enabled=true",
			workload: "deployment/shop-leader-web", prefix: "lease-sidecar", more: []rbacv1.PolicyRule{members},
		},
		{name: "child", helm: "helm 4", chart: "leader-child", release: "x", workload: "deployment/x-leader-child", prefix: "lease-sidecar"},
		{
			name: "child, image volume", helm: "helm 3", chart: "leader-child", release: "x", set: "leaseSidecar.imageVolume=true",
			workload: "deployment/x-leader-child", prefix: "lease-sidecar",
		},
		{
			name: "stateful", helm: "helm 4", chart: "leader-stateful", release: "db", workload: "statefulset/db-leader-stateful", prefix: "lease-sidecar",
			more: []rbacv1.PolicyRule{label},
		},
		{
			name: "stateful, with claims", helm: "helm 3", chart: "leader-stateful", release: "db", set: "persistence.enabled=true,leaseSidecar.label=",
			workload: "statefulset/db-leader-stateful", prefix: "lease-sidecar",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t, restricted)
			out, code := harness.RunCommand(t, harness.Binary(t), "name", "--prefix", tc.prefix, "--workload", tc.workload)
			if code != 0 {
				t.Fatalf("lease-sidecar name: status %d\n%s", code, out)
			}
			lease, binary := strings.TrimSpace(out), helms(t)[tc.helm]
			notes := runHelm(t, c, binary, "install", tc.release, chartDir(t, tc.chart), "--namespace", ns, "--set", tc.set)
			if want := "kubectl -n " + ns + " get lease " + lease + "\n"; !strings.Contains(notes, want) {
				t.Errorf("the notes have no %q:\n%s", want, notes)
			}

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
			_, name, _ := strings.Cut(tc.workload, "/")
			// Nothing makes Pods of workloads here, so that admission must be asked with a Pod of our own.
			pod := podOfChart(t, c, ns, tc.chart, name)
			if grace := *pod.Spec.TerminationGracePeriodSeconds; grace <= stopTimeout {
				t.Errorf("the Pod's grace period is %d s, want more than the sidecar's stop timeout, %d s", grace, stopTimeout)
			}
			if _, err := c.Admin.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Errorf("the workload's Pod is not admitted: %v", err)
			}
			role, err := c.Admin.RbacV1().Roles(ns).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append(harness.DocumentedRules(lease), tc.more...), role.Rules); diff != "" {
				t.Errorf("the chart's Role (-documented +chart):\n%s", diff)
			}

			runHelm(t, c, binary, "uninstall", tc.release, "--namespace", ns)
			checkNothingLeft(t, c, ns)
		})
	}
}

// podOfChart returns a Pod as the chart's workload would make it.
func podOfChart(t *testing.T, c *harness.Cluster, ns, chart, name string) *corev1.Pod {
	t.Helper()
	var template corev1.PodTemplateSpec
	if chart == "leader-stateful" {
		s, err := c.Admin.AppsV1().StatefulSets(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		template = s.Spec.Template
		for _, claim := range s.Spec.VolumeClaimTemplates {
			template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name})
		}
	} else {
		d, err := c.Admin.AppsV1().Deployments(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		template = d.Spec.Template
	}
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.GenerateName = "pod-"
	return pod
}

// checkNothingLeft looks for what an uninstalled release has left in the namespace, but Pods, and for its policy.
func checkNothingLeft(t *testing.T, c *harness.Cluster, ns string) {
	t.Helper()
	out, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", c.AdminKubeconfig(t), "-n", ns, "get", "-o", "name",
		"leases,serviceaccounts,roles,rolebindings,deployments,statefulsets,services,poddisruptionbudgets,networkpolicies,secrets")
	if code != 0 || strings.TrimSpace(strings.Replace(out, "serviceaccount/default\n", "", 1)) != "" {
		t.Errorf("after the uninstall (status %d): %s", code, out)
	}
	policies, err := c.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies.Items {
		if strings.HasPrefix(p.Name, ns+".") {
			t.Errorf("after the uninstall there is the policy %s", p.Name)
		}
	}
}

// TestChartUpgradeKeepsTheTerm upgrades a release, and rolls it back, while a leader holds its Lease: what the sidecars wrote stays.
func TestChartUpgradeKeepsTheTerm(t *testing.T) {
	t.Parallel()
	for name, binary := range helms(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := harness.Shared(t)
			ns := c.Namespace(t, restricted)
			flags := []string{chartDir(t, "leader-web"), "--namespace", ns, "--set", "fullnameOverride=web,leaseSidecar.prefix=acme"}
			runHelm(t, c, binary, append([]string{"install", "web"}, flags...)...)

			e := harness.InNamespace(t, c, ns, 9*time.Second)
			e.Access = c.AccessOf(t, ns, "web")
			s := e.Start(t, "web-0")
			harness.AwaitLeader(t, e.Duration+slack, s)
			_, token := s.Leads()
			before := e.Read(t)
			for _, step := range [][]string{
				append(append([]string{"upgrade", "web"}, flags...), "--set", "replicaCount=5,podLabels.tier=front"),
				{"rollback", "web", "1", "--namespace", ns},
			} {
				runHelm(t, c, binary, step...)
				after := e.Read(t)
				if before.UID != after.UID {
					t.Errorf("the %s made a new Lease", step[0])
				}
				if diff := cmp.Diff(before.Annotations, after.Annotations); diff != "" {
					t.Errorf("the Lease's annotations over the %s (-before +after):\n%s", step[0], diff)
				}
				if diff := cmp.Diff(before.Spec.HolderIdentity, after.Spec.HolderIdentity); diff != "" {
					t.Errorf("the holder over the %s (-before +after):\n%s", step[0], diff)
				}
				awaitRenewal(t, s)
				if leads, same := s.Leads(); !leads || same != token {
					t.Errorf("after the %s: leading %v with token %s, want true with token %s", step[0], leads, same, token)
				}
			}
			checkHelmTest(t, c, ns, s)
		})
	}
}

// checkHelmTest: the pod of "helm test" is admitted, and its command, which asks a replica at the probes' port, finds the leader.
func checkHelmTest(t *testing.T, c *harness.Cluster, ns string, s *harness.Sidecar) {
	t.Helper()
	manifest := helm(t, c, "template", "web", chartDir(t, "leader-web"), "--namespace", ns, "--set", "fullnameOverride=web,leaseSidecar.prefix=acme",
		"--show-only", "templates/tests/leader.yaml")
	_, manifest, _ = strings.Cut(manifest, "---\n")
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(manifest), &pod); err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	pod.Spec.ServiceAccountName = "web" // nothing makes the account "default" here
	if _, err := c.Admin.CoreV1().Pods(ns).Create(t.Context(), &pod, metav1.CreateOptions{}); err != nil {
		t.Errorf("the pod of helm test is not admitted: %v", err)
	}
	args := pod.Spec.Containers[0].Args
	last := len(args) - 1
	if want := "--http-address=$(WEB_SERVICE_HOST):4041"; args[last] != want {
		t.Fatalf("the test asks by %s, want %s", args[last], want)
	}
	args[last] = "--http-address=" + s.Probe
	if out, code := harness.RunCommand(t, harness.Binary(t), args...); code != 0 {
		t.Errorf("lease-sidecar %s: status %d, want 0\n%s", strings.Join(args, " "), code, out)
	}
}

// TestChartKeepsRightsOverAnUpgrade turns a label, Events and membership off: the old pods still use them when they stop, so their rights, and the
// policies, go with the next upgrade only.
func TestChartKeepsRightsOverAnUpgrade(t *testing.T) {
	t.Parallel()
	for name, binary := range helms(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := harness.Shared(t)
			ns := c.Namespace(t, nil)
			flags := []string{"web", chartDir(t, "leader-web"), "--namespace", ns, "--set", "fullnameOverride=web"}
			rules := func() (resources []string, policies int) {
				role, err := c.Admin.RbacV1().Roles(ns).Get(t.Context(), "web", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range role.Rules {
					resources = append(resources, r.Resources...)
					if slices.Contains(r.Verbs, "delete") {
						resources = append(resources, "deleted")
					}
				}
				for _, kind := range []string{"members", "election"} {
					if _, err := c.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(t.Context(), ns+".web."+kind, metav1.GetOptions{}); err == nil {
						policies++
					}
				}
				p, err := c.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(t.Context(), ns+".web.pod-label", metav1.GetOptions{})
				if err == nil && p.Spec.Variables[0].Expression != "'example.com/role'" {
					t.Errorf("the policy is for the label %s", p.Spec.Variables[0].Expression)
				}
				if err == nil {
					policies++
				}
				return resources, policies
			}
			for _, step := range []struct {
				command, set string
				want         []string
			}{
				{
					"install", "leaseSidecar.events=true,leaseSidecar.label=example.com/role=boss,leaseSidecar.membership.enabled=true,leaseSidecar.membership.sweep=true",
					[]string{"leases", "pods", "events", "leases", "deleted"},
				},
				{"upgrade", "leaseSidecar.events=false", []string{"leases", "pods", "events", "leases", "deleted"}},
				{"upgrade", "leaseSidecar.events=false", []string{"leases"}},
			} {
				runHelm(t, c, binary, append([]string{step.command}, append(flags, "--set", step.set)...)...)
				got, policies := rules()
				if diff := cmp.Diff(step.want, got); diff != "" || policies != 3 && len(step.want) > 1 || policies != 0 && len(step.want) == 1 {
					t.Errorf("%s with %s: %d policies; the Role's resources (-want +got):\n%s", step.command, step.set, policies, diff)
				}
			}
		})
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
