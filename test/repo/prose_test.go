package repo

import (
	_ "embed" // for the list of words
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// roundabout maps each phrase of the project's former dialect to plain words. People who read documents, help, errors and logs
// should not meet it; a comment in the code may.
var roundabout = readWords(roundaboutList)

//go:embed testdata/plain.txt
var roundaboutList string

// A quote is a place where prose has a retired word for a reason.
type quote struct {
	text   *regexp.Regexp
	reason string
}

// quotes are cut out before a text is looked at. One that no text needs any more fails the test.
var quotes = []quote{
	{regexp.MustCompile(`log-level|LOG_LEVEL|.LEVEL(.|\\fR) of the log`), "how loud a log record is: the field's standard word"},
	{regexp.MustCompile(`(?i)priority ?levels?(Configuration)?`), "how Kubernetes' API priority and fairness names it"},
	{regexp.MustCompile(`(?i)cannot tell`), "the answer of is-leader with status 2, as its error says it"},
	{regexp.MustCompile(`said "told"`), "the changelog names a text as it was"},
}

// prose returns the files that people read and that are no Go: documents, examples, charts, the manual page, and what runs them.
// Names in a folder for the tests' data are not ours to choose.
func prose(t *testing.T) []string {
	t.Helper()
	seen := map[string]bool{}
	var found []string
	for _, root := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "Dockerfile", "docs", "examples", "cmd", ".ci", ".github"} {
		err := filepath.WalkDir(filepath.Join(top, root), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "testdata":
				return fs.SkipDir
			case entry.Type().IsRegular() && !strings.HasSuffix(path, ".go") && !seen[path]:
				seen[path] = true
				found = append(found, path)
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return found
}

// TestProseIsPlain looks at every text that people read: documents, the changelog's unreleased part, examples and charts, the help of
// each command and the manual page (both generated from the code), and the texts of errors and logs.
func TestProseIsPlain(t *testing.T) {
	used := map[string]bool{}
	for _, path := range prose(t) {
		content := read(t, path)
		if filepath.Base(path) == "CHANGELOG.md" {
			content = unreleased(content)
		}
		for _, hit := range notPlain(path, content, used, retired, roundabout) {
			t.Error(hit)
		}
	}
	for _, path := range tree(t, ".go") {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, filepath.Join(top, "test")) {
			continue
		}
		for _, hit := range textsNotPlain(t, path, used) {
			t.Error(hit)
		}
	}
	for _, q := range quotes {
		if !used[q.text.String()] {
			t.Errorf("no text needs the exception for %q (%s) any more: remove it", q.text, q.reason)
		}
	}
}

func TestNotPlain(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"plain":                          {"The sidecar signals that the term has ended.", nil},
		"a retired word":                 {"a\nThe process is told.", []string{"a.md:2: told: write applied, published, notified, said"}},
		"a phrase":                       {"Exactly one replica leads.", []string{"a.md:1: exactly one: write at most one"}},
		"a phrase over the end of lines": {"one\n  until it lets\n  go of it", []string{"a.md:2: lets go: write releases"}},
		"a phrase in a comment":          {"# the term runs\n# out", []string{"a.md:1: runs out: write expires"}},
		"a longer word":                  {"The leader is skillful, and telltale; exactly ones.", nil},
		"an exception":                   {"It cannot tell whether it leads.", nil},
		"a word beside an exception":     {"It cannot tell whether it is fit.", []string{"a.md:1: fit: write healthy"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, notPlain("a.md", tc.text, map[string]bool{}, retired, roundabout)); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreleased(t *testing.T) {
	const changelog = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.0.0]\n\n- old\n"
	if got, want := unreleased(changelog), "# Changelog\n\n## [Unreleased]\n\n- new\n"; got != want {
		t.Errorf("unreleased = %q, want %q", got, want)
	}
}

// unreleased returns a changelog up to its first release, with the lines where they were.
func unreleased(changelog string) string {
	head, rest, ok := strings.Cut(changelog, "\n## [Unreleased]")
	if !ok {
		return changelog
	}
	rest, _, _ = strings.Cut(rest, "\n## [")
	return head + "\n## [Unreleased]" + rest
}

// letters finds the words of a prose, and what may stand between two words of a phrase: blanks, and the beginning of a next line of
// a list, a quotation or a comment.
var (
	letters = regexp.MustCompile(`[\p{L}\p{N}]+`)
	blank   = regexp.MustCompile(`^[ \t]*(\n[ \t]*(#|//|\*|>)*[ \t]*)?$`)
)

// notPlain returns a line for each retired word and each phrase of the lists in a text. It notes in used which quotes it has cut out.
func notPlain(path, text string, used map[string]bool, lists ...map[string]string) []string {
	for _, q := range quotes {
		text = q.text.ReplaceAllStringFunc(text, func(s string) string {
			used[q.text.String()] = true
			return strings.Repeat(".", len(s))
		})
	}
	at := letters.FindAllStringIndex(text, -1)
	var hits []string
	for i, a := range at {
		one := strings.ToLower(text[a[0]:a[1]])
		two := ""
		if i+1 < len(at) && blank.MatchString(text[a[1]:at[i+1][0]]) {
			two = one + " " + strings.ToLower(text[at[i+1][0]:at[i+1][1]])
		}
		for _, list := range lists {
			for _, phrase := range []string{one, two} {
				if instead, bad := list[phrase]; bad {
					hits = append(hits, fmt.Sprintf("%s:%d: %s: write %s", path, 1+strings.Count(text[:a[0]], "\n"), phrase, instead))
				}
			}
		}
	}
	return hits
}

// textsNotPlain looks at the texts of a Go file: help, errors, logs, metrics. Retired words in it are TestNoRetiredWord's.
func textsNotPlain(t *testing.T, path string, used map[string]bool) (hits []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			before := strings.Repeat("\n", set.Position(lit.Pos()).Line-1)
			hits = append(hits, notPlain(path, before+lit.Value, used, roundabout)...)
		}
		return true
	})
	return hits
}
