package repo

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	mapLine   = regexp.MustCompile(`(?m)^(  )?([\w./-]+(?:, [\w./-]+)*)(?:  +(.*))?$`)
	inItsText = regexp.MustCompile(`[\w-]+`)
)

// mapped reads the map: what it says of each folder. A line may name several folders of one room, and an indented line those of the
// last line's folder.
func mapped(text string) map[string]string {
	says := map[string]string{}
	parent := ""
	for _, m := range mapLine.FindAllStringSubmatch(text, -1) {
		for i, name := range strings.Split(m[2], ", ") {
			folder := name
			switch {
			case m[1] != "":
				folder = path.Join(parent, name)
			case i == 0:
				parent = folder
			default:
				folder = path.Join(path.Dir(parent), name)
			}
			says[folder] = m[3]
		}
	}
	return says
}

// unmapped returns the folders of a room that the map leaves out: they have no line, and the room's own line does not name them. What
// other lines say does not count.
func unmapped(says map[string]string, room string, folders []string) []string {
	var found []string
	for _, name := range folders {
		folder := path.Join(room, name)
		if _, ok := says[folder]; !ok && !slices.Contains(inItsText.FindAllString(says[room], -1), name) {
			found = append(found, folder)
		}
	}
	return found
}

// TestTheMapIsTrue: each folder that the map in CONTRIBUTING.md names is there, and each folder with code or documents is on it.
func TestTheMapIsTrue(t *testing.T) {
	m := theMap.FindStringSubmatch(read(t, filepath.Join(top, "CONTRIBUTING.md")))
	if m == nil {
		t.Fatal("CONTRIBUTING.md has no map")
	}
	says := mapped(m[1])
	for folder := range says {
		if info, err := os.Stat(filepath.Join(top, folder)); err != nil || !info.IsDir() {
			t.Errorf("the map has %s, which is no folder", folder)
		}
	}
	for _, room := range []string{"cmd", "pkg", "pkg/lease", "pkg/signals", "internal", "internal/sight", "test", "test/workload", "test/simulate"} {
		for _, folder := range unmapped(says, room, folders(t, room)) {
			t.Errorf("%s is not on the map in CONTRIBUTING.md: give it a line, or name it in the line of %s", folder, room)
		}
	}
}

func TestUnmapped(t *testing.T) {
	const text = "pkg/signals           the fan-out; file\npkg/naming, field     names; event\ntest/workload         handovers\n  program, journal    the workload\n"
	got := map[string][]string{}
	for room, names := range map[string]string{"pkg": "signals naming field", "pkg/signals": "file event", "test/workload": "program journal docs"} {
		got[room] = unmapped(mapped(text), room, strings.Fields(names))
	}
	want := map[string][]string{"pkg": nil, "pkg/signals": {"pkg/signals/event"}, "test/workload": {"test/workload/docs"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

var partOfTests = regexp.MustCompile("PKG=\\./([\\w./-]+)(?: RUN=(?:'([^']+)'|([^\\s`]+)))?")

// TestPartsOfTheTestsExist: where a document or the Makefile shows how to run a part of the tests, that package has tests of these names.
// Otherwise the command that a newcomer copies tests nothing.
func TestPartsOfTheTestsExist(t *testing.T) {
	seen := 0
	for _, file := range append(tree(t, ".md"), filepath.Join(top, "Makefile")) {
		for _, m := range partOfTests.FindAllStringSubmatch(read(t, file), -1) {
			seen++
			for pattern := range strings.SplitSeq(m[2]+m[3], "|") {
				pattern, _, _ = strings.Cut(pattern, "/") // what follows is a case of the test
				if !slices.ContainsFunc(testsOf(t, m[1]), regexp.MustCompile(pattern).MatchString) {
					t.Errorf("%s: %s: no test of %s is called %s", file, m[0], m[1], pattern)
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("%d commands with PKG: has the way to write them changed?", seen)
	}
}

// testsOf returns the names of a folder's tests.
func testsOf(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		for _, m := range function.FindAllStringSubmatch(read(t, file), -1) {
			found = append(found, m[1])
		}
	}
	return found
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
