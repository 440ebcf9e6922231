package repo

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// TestManifestsMatchTheirSchema decodes every piece of YAML in the documents as what it claims to be, and accepts no
// field that the API does not have.
func TestManifestsMatchTheirSchema(t *testing.T) {
	seen := 0
	for _, path := range tree(t, ".md") {
		for _, manifest := range manifests(read(t, path)) {
			seen++
			if err := decode(manifest); err != nil {
				t.Errorf("%s: %v in\n%s", path, err, manifest)
			}
		}
	}
	if seen == 0 {
		t.Error("no document has a manifest: has the way to mark them changed?")
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := map[string]string{
		"a field that is misspelt":   "apiVersion: v1\nkind: ServiceAccount\nautomountToken: false\n",
		"a field in the wrong place": "spec:\n  restartPolicies: Always\n",
		"a kind that is not there":   "apiVersion: v1\nkind: Leases\n",
		"what is nothing we know":    "image: busybox\n",
	}
	for name, manifest := range tests {
		t.Run(name, func(t *testing.T) {
			if err := decode(manifest); err == nil {
				t.Errorf("decode of\n%s\n= nil, want an error", manifest)
			}
		})
	}
}

// TestPagesShowTheExamples: the pod on the page of child mode is, to the letter, that of the example, which the tests apply and run.
func TestPagesShowTheExamples(t *testing.T) {
	page := read(t, filepath.Join(top, "docs", "how-to", "run-a-command.md"))
	example := objects(read(t, filepath.Join(top, "examples", "manifests", "child-install.yaml")))
	if deployment := example[len(example)-1]; !slices.Contains(manifests(page), deployment) {
		t.Errorf("docs/how-to/run-a-command.md does not show the last object of child-install.yaml:\n%s", deployment)
	}
}

// TestExamplesBeginWithHelp: each manifest begins with a comment of at most six lines that has the command to apply it.
func TestExamplesBeginWithHelp(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(top, "examples", "manifests", "*.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d manifests: %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		comment := regexp.MustCompile(`\A(#.*\n)+`).FindString(read(t, file))
		if !strings.Contains(comment, "kubectl apply -f ") || !strings.Contains(comment, "examples/manifests/"+name) {
			t.Errorf("%s does not begin with the command that applies it", name)
		}
		if lines := strings.Count(comment, "\n"); lines > 6 {
			t.Errorf("%s begins with %d lines of comment, at most 6", name, lines)
		}
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml[^\n]*\n(.*?)^```$")

func manifests(document string) []string {
	var found []string
	for _, block := range yamlBlock.FindAllStringSubmatch(document, -1) {
		found = append(found, strings.Split(block[1], "---\n")...)
	}
	return found
}

// decode reads a whole object, or one of the pieces that the documents show: a pod's spec, its containers, one of them, the rules of a Role.
func decode(manifest string) error {
	var kind struct{ APIVersion, Kind string }
	switch {
	case strings.HasPrefix(manifest, "spec:"):
		return yaml.UnmarshalStrict([]byte(manifest), &corev1.PodTemplateSpec{})
	case strings.HasPrefix(manifest, "args:"), strings.HasPrefix(manifest, "env:"):
		return yaml.UnmarshalStrict([]byte(manifest), &corev1.Container{})
	case strings.HasPrefix(manifest, "containers:"):
		return yaml.UnmarshalStrict([]byte(manifest), &corev1.PodSpec{})
	case strings.HasPrefix(manifest, "- apiGroups:"):
		return yaml.UnmarshalStrict([]byte(manifest), &[]rbacv1.PolicyRule{})
	}
	if err := yaml.Unmarshal([]byte(manifest), &kind); err != nil {
		return fmt.Errorf("read the kind: %w", err)
	}
	object, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
	if err != nil {
		return fmt.Errorf("find the kind: %w", err)
	}
	return yaml.UnmarshalStrict([]byte(manifest), object)
}
