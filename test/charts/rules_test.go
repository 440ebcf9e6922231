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

// TestCopies: what the library has from other examples is the same there. A chart cannot reach beyond its own folder.
func TestCopies(t *testing.T) {
	for copied, source := range map[string]string{
		"rules.yaml":           "prometheus/rules.yaml",
		"members-policy.yaml":  "membership/policy.yaml",
		"election-policy.yaml": "membership/election-policy.yaml",
	} {
		if readFile(t, filepath.Join(chartDir(t, library), copied)) != readFile(t, filepath.Join(harness.ModuleRoot(t), "examples", source)) {
			t.Errorf("examples/helm/%s/%s differs from its source: cp examples/%s examples/helm/%[1]s/%[2]s", library, copied, source)
		}
	}
}

// TestLeasePolicies: the policies for Leases are those of examples/membership, for this election's account, namespace and Lease.
func TestLeasePolicies(t *testing.T) {
	for _, helm := range helms(t) {
		out, code := run(t, helm, "template", "web", chartDir(t, "leader-web"), kubernetes, "-n", "shop", "--set", "leaseSidecar.membership.enabled=true")
		if code != 0 {
			t.Fatal(out)
		}
		all := objects(t, withoutLog(out))
		lease, account := only[unstructured.Unstructured](t, all, "Lease").GetName(), only[unstructured.Unstructured](t, all, "ServiceAccount").GetName()
		for i, kind := range []string{"members", "election"} {
			text := readFile(t, filepath.Join(chartDir(t, library), kind+"-policy.yaml"))
			text = strings.NewReplacer(exampleLease, lease, "serviceaccount:default:web", "serviceaccount:shop:"+account, "default-web-", "shop."+account+".").Replace(text)
			for j, object := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
				var want unstructured.Unstructured
				if err := yaml.Unmarshal([]byte(strings.Split(text, "\n---\n")[j]), &want.Object); err != nil {
					t.Fatal(err)
				}
				if len(all[object]) != 2 {
					t.Fatalf("%d objects %s, want 2", len(all[object]), object)
				}
				got := all[object][i]
				if len(got.GetLabels()) == 0 {
					t.Errorf("%s %s has no labels", object, got.GetName())
				}
				got.SetLabels(nil)
				if diff := cmp.Diff(want.Object, got.Object); diff != "" {
					t.Errorf("%s (-examples/membership +chart):\n%s", object, diff)
				}
			}
		}
	}
}

// TestRules: a PrometheusRule has all rules of examples/prometheus, which promtool checks, with the name of its own Lease; or the alert for
// an absent election alone.
func TestRules(t *testing.T) {
	source := readFile(t, filepath.Join(harness.ModuleRoot(t), "examples", "prometheus", "rules.yaml"))
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
