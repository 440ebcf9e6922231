package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// What one screen after the other holds: GitHub shows about a hundred columns of code, and a newcomer reads for some minutes. Prose is read
// as a file, too: in an editor, and in a review.
const (
	readmeLines   = 130
	readmeColumns = 100
	proseColumns  = 180
)

func readme(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join(top, "README.md"))
}

func TestReadmeIsShort(t *testing.T) {
	document := readme(t)
	if lines := strings.Count(document, "\n"); lines > readmeLines {
		t.Errorf("the README has %d lines, at most %d", lines, readmeLines)
	}
	for _, command := range []string{"`make demo`", "`make test`"} { // a fresh machine needs no other
		if !strings.Contains(document, command) {
			t.Errorf("the README does not name %s", command)
		}
	}
	for _, block := range fenced.FindAllString(document, -1) {
		for line := range strings.Lines(block) {
			if columns := len([]rune(strings.TrimSuffix(line, "\n"))); columns > readmeColumns {
				t.Errorf("%d columns of code, at most %d are seen at once: %s", columns, readmeColumns, line)
			}
		}
	}
	for line := range strings.Lines(fenced.ReplaceAllString(document, "")) {
		cannotBreak := strings.HasPrefix(line, "|") || strings.HasPrefix(line, "<") // a row, a picture
		if columns := len([]rune(strings.TrimSuffix(line, "\n"))); columns > proseColumns && !cannotBreak {
			t.Errorf("%d columns of prose, at most %d: %s", columns, proseColumns, line)
		}
	}
}

// TestReadmePodIsTheManifests compares the pod of the README with that of the manifest, which has more of four things: a program, a
// liveness probe, a read-only root, and resources. So the README's has been tried, too.
func TestReadmePodIsTheManifests(t *testing.T) {
	var shown corev1.PodTemplateSpec
	for _, manifest := range manifests(readme(t)) {
		if strings.HasPrefix(manifest, "spec:") {
			if err := yaml.UnmarshalStrict([]byte(manifest), &shown); err != nil {
				t.Fatal(err)
			}
		}
	}
	var d appsv1.Deployment
	for _, object := range objects(read(t, filepath.Join(top, "examples", "manifests", "web.yaml"))) {
		if strings.Contains(object, "kind: Deployment\n") {
			if err := yaml.UnmarshalStrict([]byte(object), &d); err != nil {
				t.Fatal(err)
			}
		}
	}
	applied := d.Spec.Template.Spec
	if len(applied.Containers) != 1 || len(applied.InitContainers) != 1 || len(shown.Spec.Containers) != 1 {
		t.Fatal("the manifest's pod, or the README's, has not one container and one sidecar")
	}
	sidecar, app := &applied.InitContainers[0], &applied.Containers[0]
	if sidecar.Resources.Requests == nil || sidecar.Resources.Limits.Memory().IsZero() || !sidecar.Resources.Limits.Cpu().IsZero() {
		t.Error("the manifest's sidecar has no requests, no limit of its memory, or a limit of its CPU")
	}
	sidecar.LivenessProbe, sidecar.Resources, app.Resources = nil, corev1.ResourceRequirements{}, corev1.ResourceRequirements{}
	sidecar.SecurityContext.ReadOnlyRootFilesystem, app.SecurityContext.ReadOnlyRootFilesystem = nil, nil
	app.Image, app.Command, app.Args = shown.Spec.Containers[0].Image, shown.Spec.Containers[0].Command, nil
	if diff := cmp.Diff(applied, shown.Spec); diff != "" {
		t.Errorf("the pod of the README (-examples/manifests/web.yaml +README):\n%s", diff)
	}
}

// objects splits a file of YAML.
func objects(content string) []string { return strings.Split(content, "\n---\n") }

// TestExamplesMatchTheirSchema decodes the manifests of the examples. The chart's are templates, which helm's own tests render,
// Prometheus' rules are for promtool, and a kustomization is for kubectl (integration.TestComponent).
func TestExamplesMatchTheirSchema(t *testing.T) {
	seen := 0
	for _, path := range tree(t, ".yaml") {
		if !strings.Contains(path, filepath.Join("examples", "")+string(filepath.Separator)) || strings.Contains(path, "helm") || path == alerts ||
			filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		for _, object := range objects(read(t, path)) {
			seen++
			if err := decode(object); err != nil {
				t.Errorf("%s: %v in\n%s", path, err, object)
			}
		}
	}
	if seen == 0 {
		t.Error("no example is a manifest")
	}
}

// TestReadmeFencesAsTried: the statement that fences in the README is one that the page about fencing has, whose code is run by tests.
func TestReadmeFencesAsTried(t *testing.T) {
	statement := regexp.MustCompile(`(?m)^UPDATE [^;\n]*?( --|;|$)`).FindString(readme(t))
	statement = strings.TrimRight(statement, " -;")
	if statement == "" || !strings.Contains(read(t, filepath.Join(top, "docs", "how-to", "fencing.md")), statement) {
		t.Errorf("docs/how-to/fencing.md has no %q", statement)
	}
}

// TestFiguresHaveCommands: each figure of the README has the command that measures it, and that command is there.
func TestFiguresHaveCommands(t *testing.T) {
	makefile := read(t, filepath.Join(top, "Makefile"))
	_, table, ok := strings.Cut(readme(t), "\n| measured ")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if !ok || len(rows) < 4 {
		t.Fatal("the README has no table of what was measured")
	}
	for _, row := range rows[2:] {
		if err := measured(row, makefile); err != nil {
			t.Errorf("%v: %s", err, row)
		}
	}
}

var (
	makes  = regexp.MustCompile("`make ([a-z-]+)` \\|$")
	goTest = regexp.MustCompile("`go test \\./(\\S+) -run (\\w+) -v` \\|$")
)

// measured looks for the target or the test that the last cell of a row names.
func measured(row, makefile string) error {
	if m := makes.FindStringSubmatch(row); m != nil {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			return fmt.Errorf("no target is called %s", m[1])
		}
		return nil
	}
	m := goTest.FindStringSubmatch(row)
	if m == nil {
		return fmt.Errorf("no command measures it")
	}
	files, err := filepath.Glob(filepath.Join(top, m[1], "*_test.go"))
	if err != nil {
		return err
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(content), "func "+m[2]+"(") {
			return nil
		}
	}
	return fmt.Errorf("no test of %s is called %s", m[1], m[2])
}

func TestMeasured(t *testing.T) {
	const makefile = "\nchaos: cluster\n"
	for row, want := range map[string]string{
		"| x | 1 | `make chaos` |": "",
		"| x | 1 | `make calm` |":  "no target is called calm",
		"| x | 1 | |":              "no command measures it",
		"| x | 1 | `go test ./test/repo -run TestMeasured -v` |": "",
		"| x | 1 | `go test ./test/repo -run TestGone -v` |":     "no test of test/repo is called TestGone",
	} {
		got := ""
		if err := measured(row, makefile); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("measured(%s) = %q, want %q", row, got, want)
		}
	}
}
