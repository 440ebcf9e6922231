//go:build linux

package charts

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// library is the chart that the others depend on.
const library = "lease-sidecar"

// applications are the charts that a user can install.
var applications = []string{"leader-web", "leader-child", "leader-stateful"}

// kubernetes is the version that helm renders for: a helm that was built from its module does not know one.
const kubernetes = "--kube-version=1.36.0"

// TestMain opens every file of the charts. helm reads them in processes of its own, so the go command would not see that one has changed, and
// would show an old result.
func TestMain(m *testing.M) {
	err := filepath.WalkDir(filepath.Join("..", "..", "examples", "helm"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func chartDir(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(harness.ModuleRoot(t), "examples", "helm", name)
}

// helms returns both helms by their names.
func helms(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"helm 4": harness.Helm(t), "helm 3": harness.Helm3(t)}
}

// run runs a helm with a home of its own, and returns what it printed and its exit status.
func run(t *testing.T, helm string, args ...string) (string, int) {
	t.Helper()
	home := t.TempDir()
	env := []string{"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home}
	return harness.RunCommandWith(t, env, helm, args...)
}

// render returns the manifests of a chart as release web, and fails the test where helm refuses.
func render(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, code := run(t, harness.Helm(t), append([]string{"template", "web", dir, kubernetes}, args...)...)
	if code != 0 {
		t.Fatalf("helm template %s: status %d\n%s", strings.Join(args, " "), code, out)
	}
	return withoutLog(out)
}

// withoutLog drops helm's lines about the link in charts.
func withoutLog(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "found symbolic link in path") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// valuesFile writes values to a file, and returns the arguments that name it.
func valuesFile(t *testing.T, values map[string]any) []string {
	t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--values", path}
}

// operators are the kinds of the Prometheus Operator, whose fields are not known here.
var operators = []string{"PodMonitor", "PrometheusRule"}

// objects reads manifests, accepts no field that the API does not have, and returns the objects by kind, in the order of the text.
func objects(t *testing.T, manifests string) map[string][]unstructured.Unstructured {
	t.Helper()
	found := map[string][]unstructured.Unstructured{}
	for document := range bytes.SplitSeq([]byte("\n"+manifests), []byte("\n---\n")) {
		var o unstructured.Unstructured
		if err := yaml.Unmarshal(document, &o.Object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(o.Object) == 0 {
			continue
		}
		if !slices.Contains(operators, o.GetKind()) {
			object, err := scheme.Scheme.New(o.GroupVersionKind())
			if err == nil {
				err = yaml.UnmarshalStrict(document, object)
			}
			if err != nil {
				t.Errorf("%v in\n%s", err, document)
			}
		}
		found[o.GetKind()] = append(found[o.GetKind()], o)
	}
	return found
}

// only returns the one object of a kind.
func only[T any](t *testing.T, of map[string][]unstructured.Unstructured, kind string) *T {
	t.Helper()
	if len(of[kind]) != 1 {
		t.Fatalf("%d objects of kind %s, want 1; there are %v", len(of[kind]), kind, slices.Sorted(maps.Keys(of)))
	}
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(of[kind][0].Object, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// TestLint: no warning by either helm, for the library and for each chart that uses it.
func TestLint(t *testing.T) {
	for name, helm := range helms(t) {
		args := []string{"lint", "--strict", kubernetes}
		for _, chart := range append([]string{library}, applications...) {
			args = append(args, chartDir(t, chart))
		}
		if out, code := run(t, helm, args...); code != 0 {
			t.Errorf("%s: status %d\n%s", name, code, out)
		}
	}
}

// TestPackage: a package of a chart holds the library, which is a link in the tree, and either helm renders the same from the package as from the tree.
func TestPackage(t *testing.T) {
	for name, helm := range helms(t) {
		for _, chart := range applications {
			dir := t.TempDir()
			if out, code := run(t, helm, "package", chartDir(t, chart), "--destination", dir); code != 0 {
				t.Fatalf("%s package %s: status %d\n%s", name, chart, code, out)
			}
			packages, err := filepath.Glob(filepath.Join(dir, chart+"-*.tgz"))
			if err != nil || len(packages) != 1 {
				t.Fatalf("%s package %s: %v, %v", name, chart, packages, err)
			}
			rules := []string{kubernetes, "--set", "leaseSidecar.prometheusRule.enabled=true"}
			packed, code := run(t, helm, append([]string{"template", "web", packages[0]}, rules...)...)
			tree, _ := run(t, helm, append([]string{"template", "web", chartDir(t, chart)}, rules...)...)
			if diff := cmp.Diff(withoutLog(tree), packed); code != 0 || diff != "" {
				t.Errorf("%s renders the package of %s with status %d (-tree +package):\n%s", name, chart, code, diff)
			}
		}
	}
}

// TestTwoChartsInOne puts two charts below a third one, as a product of several programs does. Templates have one name space for all charts of a
// release, so a library that found its chart by a fixed name would take the one chart's workload for the other's.
func TestTwoChartsInOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "product")
	if err := os.MkdirAll(filepath.Join(dir, "charts"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: v2\nname: product\nversion: 0.1.0\ndependencies:\n"
	for _, chart := range applications {
		text += "  - {name: " + chart + ", version: \">=0.0.0-0\"}\n"
		if err := os.Symlink(chartDir(t, chart), filepath.Join(dir, "charts", chart)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, helm := range helms(t) {
		out, code := run(t, helm, "template", "web", dir, kubernetes, "--set", "leader-web.leaseSidecar.prefix=a,leader-child.leaseSidecar.prefix=b")
		if code != 0 {
			t.Fatalf("%s: status %d\n%s", name, code, out)
		}
		got := map[string]string{}
		for _, lease := range objects(t, withoutLog(out))["Lease"] {
			prefix, _, _ := strings.Cut(lease.GetName(), "-")
			got[lease.GetAnnotations()["lease-sidecar.dev/workload"]] = prefix
		}
		want := map[string]string{"deployment/web-leader-web": "a", "deployment/web-leader-child": "b", "statefulset/web-leader-stateful": "lease"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the workloads and their prefixes (-want +got):\n%s", name, diff)
		}
	}
}
