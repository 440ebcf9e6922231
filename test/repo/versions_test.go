package repo

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
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
