package repo

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	// shapes and outputs are the sections of the page of guarantees, and the rows of each.
	shapes  = []string{"planned handover", "sidecar killed", "sidecar frozen", "app frozen", "API partition", "node frozen"}
	outputs = []string{"file", "HTTP", "process signal", "child mode", "pod label", "webhook", "events"}
	// ofSignal is the row of each folder of pkg/signals. HTTP is answered by internal/httpapi.
	ofSignal = map[string]string{
		"file": "file", "process": "process signal", "child": "child mode", "podlabel": "pod label", "webhook": "webhook", "event": "events",
	}
	// faults are the rows of the page on reliability, as the election's protocol numbers them.
	faults = strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18")
)

// TestGuaranteesAreBacked: each signal has a row for each fault, each row names a test, and each test that the page names is there.
func TestGuaranteesAreBacked(t *testing.T) {
	for _, folder := range folders(t, "pkg/signals") {
		if !slices.Contains(outputs, ofSignal[folder]) {
			t.Errorf("pkg/signals/%s has no row in docs/reference/guarantees.md: name it in ofSignal and in outputs", folder)
		}
	}
	page := read(t, filepath.Join(top, "docs", "reference", "guarantees.md"))
	for _, gap := range append(unbacked(page, outputs, shapes...), unknown(page, tests(t))...) {
		t.Error(gap)
	}
}

// TestEveryFaultIsTested: the same of the table of faults.
func TestEveryFaultIsTested(t *testing.T) {
	page := read(t, filepath.Join(top, "docs", "reliability.md"))
	for _, gap := range append(unbacked(page, faults), unknown(page, tests(t))...) {
		t.Error(gap)
	}
}

func TestUnbacked(t *testing.T) {
	whole := "# Page\n"
	for _, section := range []string{"fire", "flood"} {
		whole += "\n## " + section + "\n| signal | who | test |\n| --- | --- | --- |\n| file | the app | `elector.TestA` |\n| HTTP | the app | `elector.TestA` |\n"
	}
	for name, tc := range map[string]struct {
		old, new string // of the page's text
		want     []string
	}{
		"whole":                    {},
		"a row is missing":         {"| HTTP | the app | `elector.TestA` |\n", "", []string{"fire: no row for HTTP"}},
		"a section is missing":     {"## flood", "## ice", []string{"no section for flood"}},
		"a row without a test":     {"`elector.TestA`", "soon", []string{"fire: the row for file names no test"}},
		"a test that is not there": {"`elector.TestA`", "`elector.TestB`", []string{"no test is called elector.TestB"}},
	} {
		t.Run(name, func(t *testing.T) {
			page := strings.Replace(whole, tc.old, tc.new, 1)
			got := append(unbacked(page, []string{"file", "HTTP"}, "fire", "flood"), unknown(page, map[string]bool{"elector.TestA": true})...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
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

// unbacked returns a line for every row that a section of the page lacks, or that names no test. Without sections the page is one.
func unbacked(page string, rows []string, sections ...string) []string {
	if len(sections) == 0 {
		return unbackedRows("", page, rows)
	}
	var found []string
	for _, name := range sections {
		_, section, ok := strings.Cut(page, "\n## "+name+"\n")
		if !ok {
			found = append(found, "no section for "+name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		found = append(found, unbackedRows(name+": ", "\n"+section, rows)...)
	}
	return found
}

func unbackedRows(where, section string, rows []string) []string {
	var found []string
	for _, name := range rows {
		_, row, ok := strings.Cut(section, "\n| "+name+" |")
		row, _, _ = strings.Cut(row, "\n")
		switch {
		case !ok:
			found = append(found, fmt.Sprintf("%sno row for %s", where, name))
		case !named.MatchString(row):
			found = append(found, fmt.Sprintf("%sthe row for %s names no test", where, name))
		}
	}
	return found
}

// unknown returns a line for every test that a page names and that is not known.
func unknown(page string, known map[string]bool) []string {
	var found []string
	for _, m := range named.FindAllStringSubmatch(page, -1) {
		if line := "no test is called " + m[1]; !known[m[1]] && !slices.Contains(found, line) {
			found = append(found, line)
		}
	}
	return found
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
