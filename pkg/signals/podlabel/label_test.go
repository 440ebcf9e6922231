package podlabel

import (
	"strings"
	"testing"
)

func TestParseLabel(t *testing.T) {
	tests := map[string]struct {
		text string
		want Label // zero: refused
	}{
		"a key alone":             {"lease-sidecar.dev/role", Label{"lease-sidecar.dev/role", "leader"}},
		"key and value":           {"acme.example/Active_1=yes", Label{"acme.example/Active_1", "yes"}},
		"no prefix":               {"role=primary", Label{"role", "primary"}},
		"the longest name":        {strings.Repeat("a", 63), Label{strings.Repeat("a", 63), "leader"}},
		"a name too long":         {strings.Repeat("a", 64), Label{}},
		"a value too long":        {"role=" + strings.Repeat("a", 64), Label{}},
		"an empty value":          {"role=", Label{}},
		"an empty key":            {"=leader", Label{}},
		"an empty prefix":         {"/role", Label{}},
		"an empty name":           {"acme.example/", Label{}},
		"two slashes":             {"a/b/c", Label{}},
		"a prefix in capitals":    {"Acme.example/role", Label{}},
		"a selector's characters": {"role=a,b", Label{}},
		"Kubernetes' own":         {"app.kubernetes.io/component=leader", Label{}},
		"Kubernetes' own, bare":   {"kubernetes.io/role", Label{}},
		"k8s.io":                  {"node.k8s.io/role", Label{}},
		"the template's hash":     {"pod-template-hash=1", Label{}},
		"not Kubernetes' own":     {"notkubernetes.io/role", Label{"notkubernetes.io/role", "leader"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseLabel(tc.text)
			if got != tc.want || (err == nil) != (tc.want != Label{}) {
				t.Errorf("ParseLabel(%q) = %v, %v; want %v", tc.text, got, err, tc.want)
			}
		})
	}
}
