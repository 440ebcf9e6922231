//go:build linux

package charts

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// cases renders the chart of testdata/cases with values, and returns what it prints.
func cases(t *testing.T, values map[string]any) map[string]string {
	t.Helper()
	out := render(t, filepath.Join("testdata", "cases"), valuesFile(t, values)...)
	return only[corev1.ConfigMap](t, objects(t, out), "ConfigMap").Data
}

// TestNames compares the Lease's name in the chart with pkg/naming's, for 200 prefixes and workloads.
func TestNames(t *testing.T) {
	const label = `[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?`
	generated := rapid.Custom(func(r *rapid.T) map[string]any {
		kind := rapid.SampledFrom([]string{"deployment", "statefulset", "daemonset", "job", "cronjob", "rollout", "x9"}).Draw(r, "kind")
		name := strings.Join(rapid.SliceOfN(rapid.StringMatching(label), 1, 4).Draw(r, "name"), ".")
		return map[string]any{"prefix": rapid.StringMatching(label).Draw(r, "prefix"), "workload": kind + "/" + name}
	})
	var names []map[string]any
	for seed := range 200 {
		names = append(names, generated.Example(seed))
	}
	printed := cases(t, map[string]any{"names": names})
	for i, of := range names {
		w, err := naming.ParseWorkload(of["workload"].(string))
		if err != nil {
			t.Fatal(err)
		}
		want, err := naming.NewLeaseName(of["prefix"].(string), w)
		if err != nil {
			t.Fatal(err)
		}
		if got := printed[fmt.Sprintf("name-%d", i)]; got != string(want) {
			t.Errorf("prefix %q and workload %s: the chart says %q, want %q", of["prefix"], w, got, want)
		}
	}
	distinct := map[string]bool{}
	for name := range maps.Values(printed) {
		distinct[name] = true
	}
	if len(distinct) < 100 {
		t.Errorf("%d different names: the inputs are too alike", len(distinct))
	}
}

// TestPolicyNames: the policy is an object of the cluster. Elections of two namespaces never share its name, wherever the hyphens of the namespace
// and the workload are.
func TestPolicyNames(t *testing.T) {
	seen := map[string]string{}
	for namespace, name := range map[string]string{"a-b": "c", "a": "b-c", "a-b-c": "d", "c": "a-b"} {
		all := objects(t, render(t, chartDir(t, "leader-web"), "--namespace", namespace, "--set", "leaderService.enabled=true,fullnameOverride="+name))
		policy := only[admissionv1.ValidatingAdmissionPolicy](t, all, "ValidatingAdmissionPolicy").Name
		if binding := only[admissionv1.ValidatingAdmissionPolicyBinding](t, all, "ValidatingAdmissionPolicyBinding"); binding.Name != policy || binding.Spec.PolicyName != policy {
			t.Errorf("the binding %s is for %s, want %s", binding.Name, binding.Spec.PolicyName, policy)
		}
		if other := seen[policy]; other != "" {
			t.Errorf("%s/%s and %s have the policy %s", namespace, name, other, policy)
		}
		seen[policy] = namespace + "/" + name
	}
}
