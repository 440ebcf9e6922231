package repo

import (
	_ "embed" // for the list of words
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// retired maps each word that the project has given up to the word that it uses instead. One word stands for one idea.
var retired = readWords(retiredList)

//go:embed testdata/retired.txt
var retiredList string

// readWords reads a list: on each line a word or a phrase, a colon, and what to write instead.
func readWords(list string) map[string]string {
	words := map[string]string{}
	for line := range strings.Lines(list) {
		word, instead, _ := strings.Cut(strings.TrimSpace(line), ": ")
		words[word] = instead
	}
	return words
}

// kept are the places where such a word means something else, and is the field's standard term.
var kept = []*regexp.Regexp{
	regexp.MustCompile(`(?i)log[-_ ]?level|slog\.Level|Level(Debug|Info|Warn|Error|Var)|\blevel\s+slog\.Level|"level"|\.[lL]evel\b|level=|Level:`), // how loud a log record is
	regexp.MustCompile(`(?i)pass-?word|retired words|word list`),
	regexp.MustCompile(`(?i)priority[ _]?level`), // Kubernetes' API priority and fairness
}

// TestNoRetiredWord looks at every identifier that is declared, every comment and every text of the Go code.
func TestNoRetiredWord(t *testing.T) {
	for _, path := range tree(t, ".go") {
		if name := filepath.Base(path); name == "words_test.go" || name == "prose_test.go" {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := retiredWords(path, content)
		if err != nil {
			t.Fatal(err)
		}
		for _, hit := range hits {
			t.Error(hit)
		}
	}
}

func TestRetiredWords(t *testing.T) {
	for name, tc := range map[string]struct {
		code string
		want []string
	}{
		"a clean file":            {code: "package p\n\n// Fix repairs.\nfunc Fix() {}\n"},
		"a word of an identifier": {code: "package p\n\nfunc askSettled() {}\n", want: []string{"p.go:3: settled: write stopped, or applied"}},
		"a word after an acronym": {code: "package p\n\nfunc setPIDWard() {}\n", want: []string{"p.go:3: ward: write program"}},
		"a comment":               {code: "package p\n\n// The teller is dead.\nvar x int\n", want: []string{"p.go:3: teller: write signal"}},
		"a text":                  {code: "package p\n\nvar x = \"untold\"\n", want: []string{"p.go:3: untold: write not applied"}},
		"a longer word":           {code: "package p\n\n// A benefit, forwards and recommended.\nvar outfitter int\n"},
		"the level of a log":      {code: "package p\n\n// The log level.\nvar x = \"--log-level\"\n"},
		"a name from elsewhere":   {code: "package p\n\nimport \"q\"\n\nvar x = q.Settle()\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := retiredWords("p.go", []byte(tc.code))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
		})
	}
}

// retiredWords returns a line for each retired word of a file.
func retiredWords(path string, content []byte) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(content), "\n")
	var hits []string
	look := func(at token.Pos, text string) {
		first := set.Position(at).Line
		for i, line := range strings.Split(text, "\n") {
			number := first + i
			if slices.ContainsFunc(kept, func(k *regexp.Regexp) bool { return k.MatchString(lines[number-1]) }) {
				continue
			}
			for _, w := range split(line) {
				if instead, bad := retired[w]; bad {
					hits = append(hits, fmt.Sprintf("%s:%d: %s: write %s", path, number, w, instead))
				}
			}
		}
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			look(c.Pos(), c.Text)
		}
	}
	elsewhere := map[*ast.Ident]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			elsewhere[n.Sel] = true // it is judged where it is declared
		case *ast.Ident:
			if !elsewhere[n] {
				look(n.Pos(), n.Name)
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				look(n.Pos(), n.Value)
			}
		}
		return true
	})
	return hits, nil
}

// camel splits where a small letter or a digit meets a capital; acronym finds where the last of several capitals begins a word.
var (
	camel   = regexp.MustCompile(`[A-Z]+[a-z]*|[a-z]+`)
	acronym = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
)

// split returns the words of a text in small letters; those of an identifier each.
func split(text string) []string {
	var all []string
	for _, run := range camel.FindAllString(acronym.ReplaceAllString(text, "$1 $2"), -1) {
		all = append(all, strings.ToLower(run))
	}
	return all
}
