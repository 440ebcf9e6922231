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

// page is the document whose code is run here.
const page = "docs/how-to/fencing.md"

// named is a code block of the page that has a name behind its language.
var named = regexp.MustCompile("(?ms)^```[a-z]+ ([-a-z0-9.]+)$\n(.*?)^```$")

// blocks returns the named code blocks of the page.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range named.FindAllStringSubmatch(text(t), -1) {
		if found[m[1]] != "" {
			t.Fatalf("%s has two blocks of the name %s", page, m[1])
		}
		found[m[1]] = m[2]
	}
	return found
}

func text(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// block returns the code of a block, as the page shows it.
func block(t *testing.T, name string) string {
	t.Helper()
	code := blocks(t)[name]
	if code == "" {
		t.Fatalf("%s has no code block of the name %s", page, name)
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

// cited is a test of this package, as the page names it.
var cited = regexp.MustCompile("`fencing\\.(Test\\w+)`")

// TestPage has every code block of the page run by a test, but for the wrong one; and every test that it names be here.
func TestPage(t *testing.T) {
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
	all := blocks(t)
	for name := range all {
		if !strings.Contains(code.String(), `block(t, "`+name+`")`) {
			t.Errorf("%s: no test runs the block %s", page, name)
		}
	}
	const wrong = 1 // the check in the client
	if n := len(fenced.FindAllString(text(t), -1)); n != len(all)+wrong {
		t.Errorf("%s has %d code blocks, of which %d have a name; want all but %d", page, n, len(all), wrong)
	}
	for _, m := range cited.FindAllStringSubmatch(text(t), -1) {
		if !strings.Contains(code.String(), "func "+m[1]+"(") {
			t.Errorf("%s names %s, which is not here", page, m[0])
		}
	}
}
