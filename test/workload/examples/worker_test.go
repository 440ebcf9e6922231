//go:build linux

package examples

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The tests mostly wait, but a Java compiler that starts does not.
func TestMain(m *testing.M) { os.Exit(harness.MainWithoutLeaks(m, "4")) }

// way is how a worker asks whether it leads.
type way string

const (
	byFile way = "file"
	byHTTP way = "http"
)

// interval is the workers' pause between looks while they stand by, in seconds.
const interval = "0.2"

// process is a child of the test.
type process struct {
	t       *testing.T
	command *exec.Cmd
}

// start runs the command until the test ends, with nothing of this environment but the PATH.
func start(t *testing.T, command *exec.Cmd, environment ...string) *process {
	t.Helper()
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, environment...)
	// A group of its own, so that a shell's children end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", command, err)
	}
	p := &process{t, command}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = command.Wait()
	})
	return p
}

// signal sends sig to the process and its children.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(-p.command.Process.Pid, sig); err != nil {
		p.t.Fatalf("send %v to %s: %v", sig, p.command, err)
	}
}

// startWorker runs a language's worker, which writes to the transcript.
func startWorker(t *testing.T, l language, w way, to *transcript, dir, url string) *process {
	t.Helper()
	command := l.command(t)
	command.Stdout, command.Stderr = to.input, os.Stderr
	environment := []string{"SIDECAR_URL=" + url, "INTERVAL=" + interval}
	if w == byFile {
		environment = append(environment, "SIGNAL_DIR="+dir)
	}
	return start(t, command, environment...)
}

// change reports whether a worker's line is a change, not a piece of work.
func change(line string) bool { return !strings.HasPrefix(line, "working ") }

// tokenOf returns the token that a line names, or "".
func tokenOf(line string) string {
	for field := range strings.FieldsSeq(line) {
		if token, ok := strings.CutPrefix(field, "token="); ok {
			return token
		}
	}
	return ""
}

// wantChange waits for the next line that is a change, after those that from counts, and has it be want. It returns
// the count of lines up to that one.
func wantChange(t *testing.T, script *transcript, from int, want, why string) int {
	t.Helper()
	at := script.await(t, patience, from, why, func(line string) bool { return change(line) })
	if got := script.line(at).text; got != want {
		t.Fatalf("%s: it says %q; want %q\n%s", why, got, want, script)
	}
	return at + 1
}

// wantWork waits for a piece of work under the token.
func wantWork(t *testing.T, script *transcript, from int, token string) int {
	t.Helper()
	return 1 + script.await(t, patience, from, "works under token "+token, func(line string) bool {
		return strings.HasPrefix(line, "working token="+token+" ")
	})
}

// wantQuiet has no line come for some looks.
func wantQuiet(t *testing.T, script *transcript, from int, why string) {
	t.Helper()
	time.Sleep(4 * 200 * time.Millisecond)
	if more := script.from(from); len(more) > 0 {
		t.Fatalf("%s: want it to stand by, but it goes on\n%s", why, script)
	}
}

// wantOneAtWork has no piece of work under a token follow one under another, newer one.
func wantOneAtWork(t *testing.T, script *transcript) {
	t.Helper()
	var seen []string
	for _, l := range script.from(0) {
		token := tokenOf(l.text)
		if change(l.text) || len(seen) > 0 && seen[len(seen)-1] == token {
			continue
		}
		if slices.Contains(seen, token) {
			t.Errorf("work under token %s after work under %s\n%s", token, seen[len(seen)-1], script)
		}
		seen = append(seen, token)
	}
}
