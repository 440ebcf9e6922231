package repo

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPageIsListed: docs/README.md links every page of the documents, and docs/adr/README.md every decision.
func TestEveryPageIsListed(t *testing.T) {
	docs := filepath.Join(top, "docs")
	seen := 0
	for _, page := range tree(t, ".md") {
		place, err := filepath.Rel(docs, page)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(place, "..") || filepath.Base(page) == "README.md" {
			continue
		}
		list := filepath.Join(docs, "README.md")
		if strings.HasPrefix(place, "adr") {
			list = filepath.Join(docs, "adr", "README.md")
		}
		link, err := filepath.Rel(filepath.Dir(list), page)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if !slices.Contains(links(read(t, list)), link) {
			t.Errorf("docs/%s is not linked from %s: give it a place in a row there", place, list)
		}
	}
	if seen < 20 {
		t.Errorf("%d pages: are the documents not in %s?", seen, docs)
	}
}

// TestSignalsAreListed: the architecture names each folder of pkg/signals in the row of that package, and the table of ADR 0009 gives
// the wait policy of each signal.
func TestSignalsAreListed(t *testing.T) {
	architecture := rowsOf(read(t, filepath.Join(top, "docs", "explanation", "architecture.md")), "| `pkg/signals` |")
	policies := rowsOf(read(t, filepath.Join(top, "docs", "adr", "0009-wait-policies.md")), "| required |", "| best effort, with a bound |", "| none |")
	for _, folder := range folders(t, "pkg/signals") {
		if !strings.Contains(architecture, "`"+folder+"`") {
			t.Errorf("docs/explanation/architecture.md: the row of pkg/signals does not name `%s`", folder)
		}
		if name := ofSignal[folder]; name == "" || !strings.Contains(strings.ToLower(policies), name) {
			t.Errorf("docs/adr/0009-wait-policies.md: no row of the policies names pkg/signals/%s, by its name in ofSignal (%q)", folder, name)
		}
	}
}

// rowsOf returns the rows of a page's tables that begin so.
func rowsOf(page string, begins ...string) string {
	var found []string
	for line := range strings.Lines(page) {
		if slices.ContainsFunc(begins, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

var (
	fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)
	fuzzNamed  = regexp.MustCompile("`(\\w+\\.Fuzz\\w+)`")
)

// TestEveryThreatIsFuzzed: each row of the inputs that the threat model does not trust names a fuzz target, each that it names is there,
// and each fuzz target has its row.
func TestEveryThreatIsFuzzed(t *testing.T) {
	known := map[string]bool{}
	for _, path := range tree(t, "_test.go") {
		source := read(t, path)
		for _, m := range fuzzTarget.FindAllStringSubmatch(source, -1) {
			known[strings.TrimSuffix(ofName.FindStringSubmatch(source)[1], "_test")+"."+m[1]] = false
		}
	}
	_, table, _ := strings.Cut(read(t, filepath.Join(top, "docs", "explanation", "threat-model.md")), "**Not trusted**\n")
	table, _, _ = strings.Cut(table, "\n**")
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| input |") || strings.HasPrefix(line, "| --- |") {
			continue
		}
		rows++
		names := fuzzNamed.FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("threat-model.md: this row names no fuzz target: %s", line)
		}
		for _, m := range names {
			if _, ok := known[m[1]]; !ok {
				t.Errorf("threat-model.md: no fuzz target is called %s", m[1])
			}
			known[m[1]] = true
		}
	}
	for name, listed := range known {
		if !listed {
			t.Errorf("threat-model.md: no row names the fuzz target %s", name)
		}
	}
	if rows < 5 {
		t.Errorf("threat-model.md: %d inputs: is the table not below **Not trusted**?", rows)
	}
}
