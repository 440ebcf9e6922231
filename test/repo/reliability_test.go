package repo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faultCount is how many faults the election's protocol lists; the page numbers them from 1.
const faultCount = 18

// TestEveryFaultIsTested reads the table of faults: each of them has a row, each row names a test, and each test that
// the page names is in the tree.
func TestEveryFaultIsTested(t *testing.T) {
	page := read(t, filepath.Join(top, "docs", "reliability.md"))
	for _, gap := range untested(page, tests(t)) {
		t.Error(gap)
	}
}

func TestUntested(t *testing.T) {
	var whole strings.Builder
	for i := range faultCount {
		fmt.Fprintf(&whole, "| %d | it breaks | `elector.TestA` |\n", i+1)
	}
	known := map[string]bool{"elector.TestA": true}
	for name, tc := range map[string]struct {
		page string
		want []string
	}{
		"whole":            {whole.String(), nil},
		"a row is missing": {strings.Replace(whole.String(), "| 7 |", "| seven |", 1), []string{"no row for fault 7"}},
		"a row without a test": {
			strings.Replace(whole.String(), "| 18 | it breaks | `elector.TestA` |", "| 18 | it breaks | soon |", 1),
			[]string{"the row for fault 18 names no test"},
		},
		"a test that is not there": {
			strings.Replace(whole.String(), "`elector.TestA`", "`elector.TestB`", 1),
			[]string{"no test is called elector.TestB"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, untested("# Reliability\n"+tc.page, known)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// untested returns a line for every fault without a test, and for every named test that is not known.
func untested(page string, known map[string]bool) []string {
	var found []string
	for i := range faultCount {
		_, row, ok := strings.Cut(page, "\n| "+strconv.Itoa(i+1)+" |")
		row, _, _ = strings.Cut(row, "\n")
		switch {
		case !ok:
			found = append(found, fmt.Sprintf("no row for fault %d", i+1))
		case !named.MatchString(row):
			found = append(found, fmt.Sprintf("the row for fault %d names no test", i+1))
		}
	}
	return append(found, unknown(page, known)...)
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
