package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, path := range tree(t, ".md") {
		for _, link := range links(read(t, path)) {
			if err := follow(t, path, link); err != nil {
				t.Errorf("%s: the link %s: %v", path, link, err)
			}
		}
	}
}

func TestLinks(t *testing.T) {
	const document = "See [one](a.md), [two](../b.md#part) and [three](https://x.org).\n" +
		"```\n[not](code.md)\n```\n[four](#here) `[five](no.md)`"
	want := []string{"a.md", "../b.md#part", "#here"}
	if diff := cmp.Diff(want, links(document)); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestAnchors(t *testing.T) {
	const document = "# One `two` (three)\ntext\n```sh\n# a comment\n```\n## What it's not, yet\n"
	want := map[string]bool{"one-two-three": true, "what-its-not-yet": true}
	if diff := cmp.Diff(want, anchors(document)); diff != "" {
		t.Errorf("anchors (-want +got):\n%s", diff)
	}
}

var (
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inline  = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	spoken  = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // what GitHub drops from a heading's anchor
)

// links returns the targets of a document's links that stay within the repository.
func links(document string) []string {
	document = inline.ReplaceAllString(fenced.ReplaceAllString(document, ""), "")
	var found []string
	for _, m := range link.FindAllStringSubmatch(document, -1) {
		if !strings.Contains(m[1], "://") {
			found = append(found, m[1])
		}
	}
	return found
}

// anchors returns the names by which a document's headings can be linked to.
func anchors(document string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(document, ""), -1) {
		name := spoken.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

// follow looks for the file and the heading that a link of the document at path names.
func follow(t *testing.T, path, link string) error {
	t.Helper()
	file, anchor, _ := strings.Cut(link, "#")
	target := path
	if file != "" {
		target = filepath.Join(filepath.Dir(path), file)
	}
	if _, err := os.Stat(target); err != nil {
		return err
	}
	if anchor != "" && !anchors(read(t, target))[anchor] {
		return fmt.Errorf("no heading has the anchor %q", anchor)
	}
	return nil
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
