package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func here(t *testing.T) trier {
	t.Helper()
	found, err := findModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTableMatchesTheProduct: a change of the product that moves a mutant's text, or a test's name, must take the table
// along.
func TestTableMatchesTheProduct(t *testing.T) {
	root := here(t).root
	known := map[string]bool{}
	for _, m := range all {
		if known[m.name] || m.name == "" || m.danger == "" || len(m.reds) == 0 {
			t.Errorf("%q: want a name of its own, its danger, and a test", m.name)
		}
		known[m.name] = true
		source, err := m.mutate(root)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, source, parser.SkipObjectResolution); err != nil {
			t.Errorf("%q is no Go: %v", m.name, err)
		}
		for _, named := range m.reds {
			if !exists(t, root, named) {
				t.Errorf("%q names %s, which is not there", m.name, named)
			}
		}
	}
	for _, c := range controls {
		if !known[c.name] {
			t.Errorf("the control %q is no mutant", c.name)
		}
	}
}

// leastMutants is what docs/reliability.md says: the number of rules that are shown to be tested does not fall unnoticed.
const leastMutants = 220

func TestNumberOfMutants(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(here(t).root, "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	if said := fmt.Sprintf("more than %d edits", leastMutants); !strings.Contains(string(page), said) || len(all) <= leastMutants {
		t.Errorf("there are %d mutants; want more than %d, and docs/reliability.md to say so", len(all), leastMutants)
	}
}

// TestEverySignalHasAMutant: a new signal keeps at least one rule, and a test sees where it does not.
func TestEverySignalHasAMutant(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(here(t).root, "pkg", "signals", "*", "*.go"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("found no signal (%v)", err)
	}
	mutated := map[string]bool{}
	for _, m := range all {
		mutated[filepath.Dir(m.file)] = true
	}
	for _, file := range folders {
		if folder := "pkg/signals/" + filepath.Base(filepath.Dir(file)); !mutated[folder] {
			t.Errorf("no mutant breaks %s: add a row for each rule that it keeps", folder)
			mutated[folder] = true
		}
	}
}

// exists looks for the test's function, or the fuzz target's; what its subtests, or its kept inputs, are called shows when they run.
func exists(t *testing.T, root string, named test) bool {
	t.Helper()
	top, _, _ := strings.Cut(named.name, "/")
	files, err := filepath.Glob(filepath.Join(root, named.pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+top+"(t *testing.T)") || strings.Contains(string(source), "\nfunc "+top+"(f *testing.F)") {
			return true
		}
	}
	return false
}

// TestVerdicts tries the go command itself, on mutants that are seen, not seen, and no program.
func TestVerdicts(t *testing.T) {
	const old = "cmp.Compare(len(v), len(w)); c != 0"
	reds := in("pkg/lease", "TestCompare")
	for _, c := range []struct {
		name string
		m    mutant
		want verdict
	}{
		{"none", mutant{reds: reds}, green},
		{"seen", mutant{old: old, new: old + ` && v == ""`, reds: reds}, red},
		{"seen by none", mutant{old: old, new: "cmp.Compare(len(v), len(w)); 0 != c", reds: reds}, green},
		{"no program", mutant{old: old, new: "cmp.Compare(len(v), len(w)); c", reds: reds}, unbuilt},
		{"a panic", mutant{old: old, new: old + ` && w[99] == 0`, reds: reds}, panicked},
		{"no such test", mutant{old: old, new: old + ` && v == ""`, reds: in("pkg/lease", "TestNoSuch")}, unrun},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.m.old != "" {
				c.m.name, c.m.file = c.name, "pkg/lease/record.go"
			}
			results, err := here(t).try(t.Context(), c.m)
			if err != nil || len(results) != 1 {
				t.Fatalf("%v, %v; want one result", results, err)
			}
			if got := results[0]; got.verdict != c.want {
				t.Errorf("%s (%s), want %s", got.verdict, got.text, c.want)
			}
		})
	}
}

func TestTextThatIsNotThereOnce(t *testing.T) {
	for _, old := range []string{"no such text in any file", "func"} {
		m := mutant{name: old, file: "pkg/lease/record.go", old: old}
		if _, err := m.mutate(here(t).root); err == nil || !strings.Contains(err.Error(), "want once") {
			t.Errorf("replacing %q: error %v, want one that says so", old, err)
		}
	}
}

func TestReadRun(t *testing.T) {
	for _, c := range []struct {
		name, output string
		want         verdict
	}{
		{"passes", `{"Action":"pass","Test":"TestX"}`, green},
		{"fails", `{"Action":"fail","Test":"TestX"}`, red},
		{"is skipped", `{"Action":"skip","Test":"TestX"}`, skipped},
		{"another fails", `{"Action":"fail","Test":"TestY"}`, unrun},
		{"runs out of time", `{"Action":"output","Test":"TestX","Output":"panic: test timed out after 2m0s\n"}` + "\n" + `{"Action":"fail","Test":"TestX"}`, timeless},
		{"panics", `{"Action":"output","Test":"TestX","Output":"panic: no [recovered]\n"}` + "\n" + `{"Action":"fail","Test":"TestX"}`, panicked},
		{"is no program", `{"Action":"build-output","Output":"x.go:1: no\n"}` + "\n" + `{"Action":"build-fail"}` + "\n" + `{"Action":"fail"}`, unbuilt},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran, err := readRun(strings.NewReader(c.output))
			if err != nil {
				t.Fatal(err)
			}
			if got := ran.of("TestX"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestPattern(t *testing.T) {
	if got, want := (test{"p", "TestX/a.b"}).pattern(), `^TestX$/^a\.b$`; got != want {
		t.Errorf("pattern %s, want %s", got, want)
	}
}

func TestCommandRefuses(t *testing.T) {
	for _, args := range [][]string{{"-no-such-flag"}, {"-only", "("}, {"-workers", "0"}, {"surplus"}} {
		var faults strings.Builder
		if got := command(t.Context(), args, &faults, &faults); got != 2 || faults.Len() == 0 {
			t.Errorf("%v: exit status %d and %q, want 2 and why", args, got, &faults)
		}
	}
}
