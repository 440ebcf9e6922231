package repo

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var (
	goWanted = regexp.MustCompile(`golang:(\d+\.\d+)|Go (?:≥ )?(\d+\.\d+)(?: or newer)?`)
	makeTool = regexp.MustCompile(`(?m)^[A-Z_]+ *:= \$\(TOOLS\)/(([\w-]+)@v[\d.]+)/`)
)

// TestGoVersionIsOne: the Dockerfile, the workflows, .ci/prerequisites and the documents ask for the Go of go.mod.
func TestGoVersionIsOne(t *testing.T) {
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(top, "go.mod")))
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	must := map[string]bool{filepath.Join(top, "Dockerfile"): true, filepath.Join(top, ".ci", "prerequisites"): true, filepath.Join(top, "CONTRIBUTING.md"): true}
	for path, w := range workflows(t) {
		for _, j := range w.Jobs {
			must[path] = must[path] || j.Container.Image != ""
		}
	}
	for path, named := range must {
		found := goWanted.FindAllStringSubmatch(read(t, path), -1)
		if named && len(found) == 0 {
			t.Errorf("%s names no version of Go", path)
		}
		for _, f := range found {
			if got := f[1] + f[2]; got != m[1] {
				t.Errorf("%s asks for Go %s, go.mod for %s", path, got, m[1])
			}
		}
	}
}

// TestToolsHaveOneVersion: the Makefile names each tool's version twice, for its folder and to install it.
func TestToolsHaveOneVersion(t *testing.T) {
	makefile := read(t, filepath.Join(top, "Makefile"))
	tools := map[string]string{}
	for _, m := range makeTool.FindAllStringSubmatch(makefile, -1) {
		tools[m[2]] = m[1]
	}
	for _, name := range slices.Sorted(maps.Keys(tools)) {
		if !regexp.MustCompile(`(?m)\$\(GO\) install .*/` + regexp.QuoteMeta(tools[name]) + `$`).MatchString(makefile) {
			t.Errorf("%s is not what the Makefile installs", tools[name])
		}
	}
	if len(tools) < 4 {
		t.Errorf("found the tools %v: the Makefile has more", tools)
	}
}

var releaseHeading = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - \d{4}-\d{2}-\d{2})?$`)

// TestReleaseNamesAgree: the charts and their dependency have the version of the newest release, and the library chart pulls the image that
// a release pushes. Before the first release it pulls one that its user builds: no registry has the other.
func TestReleaseNamesAgree(t *testing.T) {
	type chart struct {
		Name, Version, AppVersion string
		Dependencies              []struct{ Version string }
	}
	var values struct {
		Image struct{ Repository, Tag string }
	}
	var release struct{ Env struct{ IMAGE string } }
	workflow := read(t, filepath.Join(top, ".github", "workflows", "release.yml"))
	for text, into := range map[string]any{
		read(t, filepath.Join(top, charts, "lease-sidecar", "values.yaml")): &values,
		workflow: &release,
	} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	headings := releaseHeading.FindAllStringSubmatch(read(t, filepath.Join(top, "CHANGELOG.md")), -1)
	if len(headings) == 0 || headings[0][1] != "Unreleased" {
		t.Fatalf("CHANGELOG.md begins with %q, want [Unreleased]", headings)
	}
	newest, image := "0.1.0", "lease-sidecar:dev"
	if len(headings) > 1 {
		newest = headings[1][1]
		image = release.Env.IMAGE + ":" + newest
	}
	if got := values.Image.Repository + ":" + values.Image.Tag; got != image {
		t.Errorf("the library chart pulls %s, want %s", got, image)
	}
	paths, err := filepath.Glob(filepath.Join(top, charts, "*", "Chart.yaml"))
	if err != nil || len(paths) < 4 {
		t.Fatalf("the charts are %v, %v", paths, err)
	}
	for _, path := range paths {
		var c chart
		if err := yaml.Unmarshal([]byte(read(t, path)), &c); err != nil {
			t.Fatal(err)
		}
		if c.Version != newest || c.AppVersion != newest {
			t.Errorf("%s has version %q and appVersion %q, want %s", path, c.Version, c.AppVersion, newest)
		}
		for _, d := range c.Dependencies {
			if d.Version != newest {
				t.Errorf("%s depends on version %q, want %s", path, d.Version, newest)
			}
		}
	}
	for _, used := range []string{`"$IMAGE:${TAG#v}"`, "dist/*.tgz"} {
		if !strings.Contains(workflow, used) {
			t.Errorf("release.yml has no %s", used)
		}
	}
}
