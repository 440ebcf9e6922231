//go:build linux

package fencing

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// pages are the documents whose code is run here, each with the number of its blocks that are shown only: the check in the client.
var pages = map[string]int{"docs/how-to/fencing.md": 1, "docs/how-to/work-through-a-queue.md": 0}

// named is a code block of a page that has a name behind its language.
var named = regexp.MustCompile("(?ms)^```[a-z]+ ([-a-z0-9.]+)$\n(.*?)^```$")

// blocks returns the named code blocks of the pages.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for page := range pages {
		for _, m := range named.FindAllStringSubmatch(text(t, page), -1) {
			if found[m[1]] != "" {
				t.Fatalf("%s: the name %s is that of another block, too", page, m[1])
			}
			found[m[1]] = m[2]
		}
	}
	return found
}

func text(t *testing.T, page string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// mustShow has one of the pages show what a refused writer sees.
func mustShow(t *testing.T, sees string) {
	t.Helper()
	for page := range pages {
		if strings.Contains(text(t, page), sees) {
			return
		}
	}
	t.Errorf("no page shows %q, which a writer sees", sees)
}

// block returns the code of a block, as its page shows it.
func block(t *testing.T, name string) string {
	t.Helper()
	code := blocks(t)[name]
	if code == "" {
		t.Fatalf("no page has a code block of the name %s", name)
	}
	return code
}

// replace returns the code with one part of it replaced, which must be there, once.
func replace(t *testing.T, code, old, with string) string {
	t.Helper()
	if n := strings.Count(code, old); n != 1 {
		t.Fatalf("%d times %q, want once, in:\n%s", n, old, code)
	}
	return strings.Replace(code, old, with, 1)
}

// fenced is the begin of any code block.
var fenced = regexp.MustCompile("(?m)^```[a-z]+.*$")

// cited is a test of this package, as a page names it.
var cited = regexp.MustCompile("`fencing\\.(Test\\w+)`")

// TestPages has every code block of the pages run by a test, but for a wrong one; and every test that they name be here.
func TestPages(t *testing.T) {
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, path := range sources {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(content)
	}
	for name := range blocks(t) {
		if !strings.Contains(code.String(), `block(t, "`+name+`")`) {
			t.Errorf("no test runs the block %s", name)
		}
	}
	for page, wrong := range pages {
		document := text(t, page)
		all, have := len(fenced.FindAllString(document, -1)), len(named.FindAllString(document, -1))
		if all != have+wrong {
			t.Errorf("%s has %d code blocks, of which %d have a name; want all but %d", page, all, have, wrong)
		}
		for _, m := range cited.FindAllStringSubmatch(document, -1) {
			if !strings.Contains(code.String(), "func "+m[1]+"(") {
				t.Errorf("%s names %s, which is not here", page, m[0])
			}
		}
	}
}
