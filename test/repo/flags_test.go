package repo

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlagsInTheDocumentsExist(t *testing.T) {
	known := map[string]bool{}
	for _, m := range referenceFlag.FindAllStringSubmatch(read(t, filepath.Join(top, "docs", "reference", "cli.md")), -1) {
		known[m[1]] = true
	}
	for _, path := range tree(t, ".md") {
		for _, flag := range flags(read(t, path)) {
			if !known[flag] {
				t.Errorf("%s: no command has the flag --%s", path, flag)
			}
		}
	}
}

func TestFlags(t *testing.T) {
	const document = "Set `--one`, `--two=x` or `--three PATH`; `helm --four` is another's.\n" +
		"args: [run, --five=a, --six]\n" +
		"lease-sidecar wait --seven b \\\n  --eight\ncurl --nine\n"
	want := []string{"one", "two", "three", "five", "six", "seven", "eight"}
	if diff := cmp.Diff(want, flags(document)); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

var (
	referenceFlag = regexp.MustCompile("`--([a-z][a-z-]*)")
	quoted        = regexp.MustCompile("`--([a-z][a-z-]*)")
	flagged       = regexp.MustCompile(`[ \[]--([a-z][a-z-]*)`)
	invocation    = regexp.MustCompile(`lease-sidecar [a-z-]+ -|args: \[run`)
)

// flags returns the names of our commands' flags that a document speaks of: those quoted by themselves, and those
// in a command line or a container's args, with the lines that continue it.
func flags(document string) []string {
	var found []string
	ours := false
	for line := range strings.Lines(document) {
		pattern := quoted
		if ours = ours || invocation.MatchString(line); ours {
			pattern = flagged
		}
		for _, m := range pattern.FindAllStringSubmatch(line, -1) {
			found = append(found, m[1])
		}
		ours = ours && strings.HasSuffix(line, "\\\n")
	}
	return found
}
