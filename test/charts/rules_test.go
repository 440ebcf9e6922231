//go:build linux

package charts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// exampleLease is the Lease that the rules of examples/prometheus name.
const exampleLease = "acme-752b7817f6"

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRules: the library has the rules of examples/prometheus, which promtool checks, and a PrometheusRule has them all, with the name of
// its own Lease; or the alert for an absent election alone.
func TestRules(t *testing.T) {
	source := readFile(t, filepath.Join(harness.ModuleRoot(t), "examples", "prometheus", "rules.yaml"))
	copied := filepath.Join(chartDir(t, library), "rules.yaml")
	if readFile(t, copied) != source {
		t.Error("examples/helm/lease-sidecar/rules.yaml differs from its source: cp examples/prometheus/rules.yaml examples/helm/lease-sidecar/")
	}

	out := render(t, chartDir(t, "leader-web"), "--set", "leaseSidecar.prometheusRule.enabled=true")
	lease := only[unstructured.Unstructured](t, objects(t, out), "Lease")
	var want, got struct{ Groups []any }
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(source, exampleLease, lease.GetName())), &want); err != nil {
		t.Fatal(err)
	}
	got.Groups, _, _ = unstructured.NestedSlice(only[unstructured.Unstructured](t, objects(t, out), "PrometheusRule").Object, "spec", "groups")
	if diff := cmp.Diff(want.Groups, got.Groups); diff != "" || len(want.Groups) == 0 {
		t.Errorf("the PrometheusRule's groups (-rules.yaml +chart):\n%s", diff)
	}

	out = render(t, chartDir(t, "leader-web"), "--set", "leaseSidecar.prometheusRule.enabled=true,leaseSidecar.prometheusRule.allElections=false")
	rule := only[unstructured.Unstructured](t, objects(t, out), "PrometheusRule")
	text, err := yaml.Marshal(rule.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "alert:"); n != 1 || !strings.Contains(string(text), `name="`+lease.GetName()+`"`) || strings.Contains(string(text), "record:") {
		t.Errorf("with allElections false, %d alerts, want one, for the Lease %s:\n%s", n, lease.GetName(), text)
	}
}
