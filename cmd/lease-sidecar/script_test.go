package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
)

// joined runs the tests and then looks for goroutines that nobody joined.
type joined struct{ *testing.M }

func (j joined) Run() int {
	guardtest.DefaultSignals() // the scripts' shells cannot trap a signal that they were started with ignored
	code := j.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(joined{m}, map[string]func(){"lease-sidecar": main, pluginName: main})
}

// Each script is a user's session with the real command, in processes of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "await": scriptAwait, "empty": scriptEmpty,
		},
	})
}

// scriptExits runs a command that must end with an exit code: exits CODE COMMAND ARG….
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	got := 0
	var status *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &status) {
		got = status.ExitCode()
	} else if err != nil {
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d; want %d", got, want)
	}
}

// scriptAwait waits for a file to be there, or with "!" to be gone; with a text, for that to be in it:
// await FILE [TEXT].
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		content, err := os.ReadFile(path)
		there := err == nil && (len(args) == 1 || strings.Contains(string(content), args[1]))
		if there != neg {
			return
		}
	}
	ts.Fatalf("%s: not within 20 s", path)
}

// scriptEmpty checks that a directory holds nothing at all.
func scriptEmpty(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if neg || len(entries) > 0 {
		ts.Fatalf("%s is not empty: %v", filepath.Base(args[0]), entries)
	}
}
