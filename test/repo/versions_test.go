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

// TestReleaseNamesAgree: the image that is pushed is the one that the chart pulls, and the chart has the version of the newest release.
func TestReleaseNamesAgree(t *testing.T) {
	var meta struct{ Name, Version, AppVersion string }
	var values struct {
		LeaseSidecar struct {
			Image struct{ Repository, Tag string }
		}
	}
	var release struct{ Env struct{ IMAGE string } }
	workflow := read(t, filepath.Join(top, ".github", "workflows", "release.yml"))
	for text, into := range map[string]any{
		read(t, filepath.Join(top, chart, "Chart.yaml")):  &meta,
		read(t, filepath.Join(top, chart, "values.yaml")): &values,
		workflow: &release,
	} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if meta.Version == "" || meta.Version != meta.AppVersion {
		t.Errorf("the chart's version is %q, its appVersion %q", meta.Version, meta.AppVersion)
	}
	if image := values.LeaseSidecar.Image; image.Repository != release.Env.IMAGE || image.Tag != "" {
		t.Errorf("the chart pulls %q, tag %q; the release pushes %q, and the tag is the chart's appVersion", image.Repository, image.Tag, release.Env.IMAGE)
	}
	for _, used := range []string{`"$IMAGE:${TAG#v}"`, "dist/" + meta.Name + "-*.tgz"} {
		if !strings.Contains(workflow, used) {
			t.Errorf("release.yml has no %s", used)
		}
	}
	headings := releaseHeading.FindAllStringSubmatch(read(t, filepath.Join(top, "CHANGELOG.md")), -1)
	if len(headings) == 0 || headings[0][1] != "Unreleased" {
		t.Fatalf("CHANGELOG.md begins with %q, want [Unreleased]", headings)
	}
	if len(headings) > 1 && headings[1][1] != meta.Version {
		t.Errorf("the newest release in CHANGELOG.md is %s, the chart has %s", headings[1][1], meta.Version)
	}
}
