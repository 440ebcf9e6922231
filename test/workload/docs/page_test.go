//go:build linux

package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	document := strings.ReplaceAll(`# A page
~~~sh terminal 1, stays
run me
~~~
<!-- terminal 1 shows: a, b -->
<!-- terminal 1: Ctrl-C -->
<!-- terminal 1 ends -->
~~~yaml file x.yaml
kind: X
~~~
~~~console terminal 2
$ one
1
$ two
~~~
~~~text terminal 1 shows
…
~~~
- a list
  ~~~sh terminals 1, 3, status 2
  docker build . # elsewhere
  false
  ~~~
~~~text shows
x
~~~
~~~sh terminal 1, script
echo 'x'
~~~
~~~go
not.Ours()
~~~
~~~text
nor this
~~~
`, "~~~", "```")
	want := []Step{
		{Kind: Start, Terminal: 1, Text: "run me", Line: 2},
		{Kind: Shows, Terminal: 1, Text: "a\nb", Line: 5},
		{Kind: Keys, Terminal: 1, Line: 6},
		{Kind: Ends, Terminal: 1, Line: 7},
		{Kind: File, Name: "x.yaml", Text: "kind: X", Line: 8},
		{Kind: Run, Terminal: 2, Text: "one", Line: 11},
		{Kind: Shows, Terminal: 2, Text: "1", Line: 11},
		{Kind: Run, Terminal: 2, Text: "two", Line: 11},
		{Kind: Shows, Terminal: 1, Text: "…", Line: 16},
		{Kind: Run, Terminal: 1, Text: "false", Status: 2, Line: 20},
		{Kind: Run, Terminal: 3, Text: "false", Status: 2, Line: 20},
		{Kind: Shows, Terminal: 3, Text: "x", Line: 24},
		{Kind: Run, Terminal: 1, Text: `sh -c 'echo '\''x'\'''`, Line: 27},
	}
	got, faults := Read(document, func(line string) bool { return strings.HasPrefix(line, "docker ") })
	if diff := cmp.Diff(want, got); diff != "" || faults != nil {
		t.Errorf("steps (-want +got):\n%s%v", diff, faults)
	}
}

// What nobody runs, and what is not there any more, is a fault.
func TestFaults(t *testing.T) {
	const path = "docs/a.md"
	for name, tc := range map[string]struct {
		block     string
		pages     []Page
		elsewhere []Exception
		want      string // "": none
	}{
		"run":                     {"sh terminal 1\nx", []Page{{Path: path}}, nil, ""},
		"listed":                  {"sh\nx y", nil, []Exception{{path, "x ", "why"}}, ""},
		"neither":                 {"bash\n\nx", nil, nil, `line 1: nobody runs "x"`},
		"one line of two":         {"sh\nx\ny", nil, []Exception{{path, "x", "why"}}, `line 1: nobody runs "y"`},
		"marked and listed":       {"sh terminal 1\nx", nil, []Exception{{path, "x", "why"}}, "the block is marked"},
		"no language":             {"\nlease-sidecar run", nil, nil, "does not name its language"},
		"a mark that is no mark":  {"sh terminal 1, stay\nx", []Page{{Path: path}}, nil, `"stay" is not understood`},
		"shown by nobody":         {"text shows\nx", nil, nil, "no command comes before"},
		"a page without a place":  {"sh terminal 1\nx", nil, nil, "has 1 steps to run"},
		"a page without commands": {"text\nx", []Page{{Path: path}}, nil, "has 0 steps to run"},
		"a page that is gone":     {"text\nx", []Page{{Path: "docs/b.md"}}, nil, "there is no page docs/b.md"},
		"a listed line is gone":   {"text\nx", nil, []Exception{{path, "x", "why"}}, "take it out of Elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, folder := range []string{"docs", "examples"} {
				if err := os.Mkdir(filepath.Join(root, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for file, content := range map[string]string{"README.md": "", path: "```" + tc.block + "\n```\n"} {
				if err := os.WriteFile(filepath.Join(root, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			faults, err := Faults(root, tc.pages, tc.elsewhere)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(faults); tc.want == "" && faults != nil || !strings.Contains(got, tc.want) {
				t.Errorf("faults: %s; want %q", got, tc.want)
			}
		})
	}
}

// A page that claims what is not so does not pass.
func TestPlay(t *testing.T) {
	run := func(text string) Step { return Step{Kind: Run, Terminal: 1, Text: text} }
	start := func(text string) Step { return Step{Kind: Start, Terminal: 1, Text: text} }
	shows := func(text string) Step { return Step{Kind: Shows, Terminal: 1, Text: text} }
	for name, tc := range map[string]struct {
		steps []Step
		want  string // "": it passes
	}{
		"a session": {steps: []Step{
			run("x=5\nfor i in 1 2; do\n  echo \"$i $x\"\ndone"), shows("1 …\n…\n2 5"),
			start("sh -c 'echo on; exec sleep 60'"), shows("on"), // shown by what Ctrl-C reaches: bash itself may lose one between two commands
			{Kind: Keys, Terminal: 1},
			{Kind: Ends, Terminal: 1},
			{Kind: Run, Terminal: 1, Text: "false", Status: 1},
		}},
		"a command fails":            {[]Step{run("false")}, "its status is 1, want 0"},
		"it ends, and should stay":   {[]Step{start("echo a"), shows("b")}, "it has ended, and has not shown: b"},
		"it shows that before":       {[]Step{run("echo a"), start("echo b"), shows("a")}, "it has ended, and has not shown: a"},
		"it shows them in disorder":  {[]Step{start("echo a; echo b"), shows("b\na")}, "it has ended, and has not shown: a"},
		"it shows a part of it":      {[]Step{start("echo ab"), shows("a")}, "it has ended, and has not shown: a"},
		"a terminal has a memory":    {[]Step{run("cd /"), run(`test "$PWD" = /`)}, ""},
		"two terminals have not":     {[]Step{run("x=1"), {Kind: Run, Terminal: 2, Text: `test "$x" = 1`}}, "terminal 2, run: its status is 1"},
		"a file has what is written": {[]Step{{Kind: File, Name: "f", Text: "a: 1"}, run("cat f"), shows("---\na: 1")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Play(tc.steps, t.TempDir(), os.Environ())
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v; want %q", err, tc.want)
			}
		})
	}
}
