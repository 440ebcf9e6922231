//go:build linux

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// language is one of those the workers are written in.
type language struct {
	name    string
	program string // what runs it, on the PATH; "" for what harness.ExampleProgram builds
	file    string // below examples/; or a page, whose one code block of the language it is
	// bootClock says that the language reads CLOCK_BOOTTIME itself. The others take /proc/uptime, and ask the
	// leader file's time as well.
	bootClock bool
}

var languages = []language{
	{name: "shell", program: "sh", file: "shell/worker.sh"},
	{name: "python", program: "python3", file: "python/worker.py", bootClock: true},
	{name: "node", program: "node", file: "node/worker.js"},
	{name: "java", program: "java", file: "java/Worker.java"},
	{name: "go", bootClock: true},
	{name: "perl", program: "perl", file: "perl/worker.pl"},
	{name: "ruby", program: "ruby", file: "../docs/how-to/write-a-client.md", bootClock: true},
}

// golang is the language of the tests that are about the sidecar and need any worker.
var golang = languages[4]

// command returns what runs the language's worker. A language that is missing fails the test: what cannot be run here
// is not known to work.
func (l language) command(t *testing.T) *exec.Cmd {
	t.Helper()
	if l.program == "" {
		return exec.Command(harness.ExampleProgram(t))
	}
	file := filepath.Join(harness.ModuleRoot(t), "examples", l.file)
	if filepath.Ext(file) == ".md" {
		file = l.extract(t, file)
	}
	return exec.Command(lookUp(t, l.program), file)
}

// extract writes the page's one code block of the language to a file of its own.
func (l language) extract(t *testing.T, page string) (file string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```"+l.name+" \\S+$\n(.*?)^```$").FindAllSubmatch(text, -1)
	if len(blocks) != 1 {
		t.Fatalf("%s has %d programs in %s, want one", page, len(blocks), l.name)
	}
	file = filepath.Join(t.TempDir(), "worker")
	if err := os.WriteFile(file, blocks[0][1], 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func lookUp(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("find %s, which an example needs: %v: install it (Debian: python3, nodejs, default-jdk-headless, perl, ruby, curl)", program, err)
	}
	return path
}

// eachWay runs the test for each language and each way of asking, side by side.
func eachWay(t *testing.T, test func(t *testing.T, l language, w way)) {
	for _, l := range languages {
		for _, w := range []way{byFile, byHTTP} {
			t.Run(l.name+"/"+string(w), func(t *testing.T) {
				t.Parallel()
				test(t, l, w)
			})
		}
	}
}

// seenBy returns the sight by which the sidecar sees the worker at work, asking in that way; "" for none.
func (l language) seenBy(w way) string {
	switch {
	case l.name == "node":
		return "running"
	case w == byFile:
		return "run-lock"
	}
	return ""
}
