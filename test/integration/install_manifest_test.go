//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// readmePod is the pod that the README shows: a block of YAML that begins with the spec.
var readmePod = regexp.MustCompile("(?ms)^```yaml\n(spec:.*?)^```$")

// TestManifestInstalls applies the manifest that the README begins with, and its network policy, which nothing enforces here. The strictest Pod Security standard admits its pod, and that
// of the README. The rights are the documented ones, and suffice for an election.
func TestManifestInstalls(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	ns := c.Namespace(t, restricted)
	root := harness.ModuleRoot(t)
	out, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", c.AdminKubeconfig(t), "-n", ns, "apply",
		"-f", filepath.Join(root, "examples", "kubernetes", "web.yaml"), "-f", filepath.Join(root, "examples", "kubernetes", "network-policy.yaml"))
	if code != 0 {
		t.Fatalf("kubectl apply: status %d\n%s", code, out)
	}
	e := harness.InNamespace(t, c, ns, 9*time.Second)
	e.Access = c.AccessOf(t, ns, "web")
	if got := e.Read(t).Annotations[naming.AnnotationWorkload]; got != e.Workload {
		t.Errorf("the shipped Lease is annotated for %q, want %q", got, e.Workload)
	}
	role, err := c.Admin.RbacV1().Roles(ns).Get(t.Context(), "web-election", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(harness.DocumentedRules(e.Lease), role.Rules); diff != "" {
		t.Errorf("the manifest's Role (-documented +manifest):\n%s", diff)
	}

	d, err := c.Admin.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := readmePod.FindSubmatch(readme)
	if shown == nil {
		t.Fatal("the README shows no pod")
	}
	var fromReadme corev1.PodTemplateSpec
	if err := yaml.UnmarshalStrict(shown[1], &fromReadme); err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]corev1.PodSpec{"the manifest": d.Spec.Template.Spec, "the README": fromReadme.Spec} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"}, Spec: spec}
		if _, err := c.Admin.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Errorf("the pod of %s is not admitted: %v", name, err)
		}
	}

	replicas := e.StartAll(t, 2)
	harness.AwaitLeader(t, e.Duration+slack, replicas...)
}
