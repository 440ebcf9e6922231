package repo

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faults are the columns of the table of guarantees, and outputs its rows: no cell may be missing.
var (
	faults  = []string{"planned handover", "sidecar killed", "sidecar frozen", "app frozen", "API partition", "node frozen"}
	outputs = []string{"file", "HTTP", "process signal", "child mode", "pod label", "webhook", "events"}
)

// TestGuaranteesAreBacked reads the table of guarantees: each signal and fault has a cell, each cell names a test, and
// each test that the page names is in the tree.
func TestGuaranteesAreBacked(t *testing.T) {
	page := read(t, filepath.Join(top, "docs", "reference", "guarantees.md"))
	for _, fault := range unbacked(page, tests(t)) {
		t.Error(fault)
	}
}

func TestUnbacked(t *testing.T) {
	var whole strings.Builder
	for _, fault := range faults {
		fmt.Fprintf(&whole, "## %s\n| signal | who | test |\n| --- | --- | --- |\n", fault)
		for _, signal := range outputs {
			fmt.Fprintf(&whole, "| %s | the app | `elector.TestA` |\n", signal)
		}
	}
	known := map[string]bool{"elector.TestA": true}
	for name, tc := range map[string]struct {
		page string
		want []string
	}{
		"whole": {whole.String(), nil},
		"a row is missing": {
			strings.Replace(whole.String(), "| webhook | the app | `elector.TestA` |\n", "", 1),
			[]string{"planned handover: no row for webhook"},
		},
		"a section is missing": {
			strings.Replace(whole.String(), "## node frozen", "## flood", 1),
			[]string{"no section for node frozen"},
		},
		"a row without a test": {
			strings.Replace(whole.String(), "`elector.TestA`", "", 1),
			[]string{"planned handover: the row for file names no test"},
		},
		"a test that is not there": {
			strings.Replace(whole.String(), "`elector.TestA`", "`elector.TestB`", 1),
			[]string{"no test is called elector.TestB"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, unbacked(tc.page, known)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

var (
	named    = regexp.MustCompile("`([a-z]+\\.Test\\w+)`")
	function = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	ofName   = regexp.MustCompile(`(?m)^package (\w+)$`)
)

// unbacked returns a line for everything that the page lacks, or claims of tests that are not known.
func unbacked(page string, known map[string]bool) []string {
	var found []string
	for _, fault := range faults {
		_, section, ok := strings.Cut(page, "\n## "+fault+"\n")
		if !ok && !strings.HasPrefix(page, "## "+fault+"\n") {
			found = append(found, "no section for "+fault)
			continue
		}
		if !ok {
			section = page
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, signal := range outputs {
			_, row, ok := strings.Cut(section, "\n| "+signal+" |")
			row, _, _ = strings.Cut(row, "\n")
			switch {
			case !ok:
				found = append(found, fmt.Sprintf("%s: no row for %s", fault, signal))
			case !named.MatchString(row):
				found = append(found, fmt.Sprintf("%s: the row for %s names no test", fault, signal))
			}
		}
	}
	return append(found, unknown(page, known)...)
}

// tests returns the names of the repository's tests, package.TestName each.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, path := range tree(t, "_test.go") {
		source := read(t, path)
		m := ofName.FindStringSubmatch(source)
		if m == nil {
			t.Fatalf("%s: no package clause", path)
		}
		for _, f := range function.FindAllStringSubmatch(source, -1) {
			found[strings.TrimSuffix(m[1], "_test")+"."+f[1]] = true
		}
	}
	return found
}
