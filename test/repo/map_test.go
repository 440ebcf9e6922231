package repo

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// folders returns the names of the folders in one of the repository's, but those of test data and of tests' helpers.
func folders(t *testing.T, room string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(top, room))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() && !ignored(e.Name()) && e.Name() != "internal" && (room == "internal" || !strings.HasSuffix(e.Name(), "test")) {
			found = append(found, e.Name())
		}
	}
	return found
}

var (
	theMap    = regexp.MustCompile("(?s)## The map\n.*?```\n(.*?)```")
	mapFolder = regexp.MustCompile(`(?m)^(?:  )?[\w./-]+`)
	mapName   = regexp.MustCompile(`[\w-]+`)
)

// TestTheMapIsTrue: each folder that the map in CONTRIBUTING.md names is there, and each folder with code or documents is on it.
func TestTheMapIsTrue(t *testing.T) {
	m := theMap.FindStringSubmatch(read(t, filepath.Join(top, "CONTRIBUTING.md")))
	if m == nil {
		t.Fatal("CONTRIBUTING.md has no map")
	}
	parent := ""
	for _, folder := range mapFolder.FindAllString(m[1], -1) {
		if name, inside := strings.CutPrefix(folder, "  "); inside {
			folder = path.Join(parent, name)
		} else {
			parent = folder
		}
		if info, err := os.Stat(filepath.Join(top, folder)); err != nil || !info.IsDir() {
			t.Errorf("the map has %s, which is no folder", folder)
		}
	}
	names := mapName.FindAllString(m[1], -1)
	for _, room := range []string{"cmd", "pkg", "pkg/lease", "pkg/signals", "internal", "internal/sight", "test", "test/workload", "test/simulate"} {
		for _, name := range folders(t, room) {
			if !slices.Contains(names, name) {
				t.Errorf("%s/%s is not on the map in CONTRIBUTING.md", room, name)
			}
		}
	}
}

var needed = regexp.MustCompile(`(?m)^  need ('[^']+'|\S+) `)

// TestPrerequisitesAreListed: CONTRIBUTING.md names each package that .ci/prerequisites installs.
func TestPrerequisitesAreListed(t *testing.T) {
	page := read(t, filepath.Join(top, "CONTRIBUTING.md"))
	packages := needed.FindAllStringSubmatch(read(t, filepath.Join(top, ".ci", "prerequisites")), -1)
	for _, m := range packages {
		for name := range strings.FieldsSeq(strings.Trim(m[1], "'")) {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("CONTRIBUTING.md does not name the package %s", name)
			}
		}
	}
	if len(packages) < 10 {
		t.Errorf("found %d packages: .ci/prerequisites has more", len(packages))
	}
}
