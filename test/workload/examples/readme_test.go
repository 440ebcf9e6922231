//go:build linux

package examples

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// question is a way to ask in the README: it prints something while this replica leads, and nothing else.
type question struct {
	program string
	args    []string
}

// ask returns what it prints.
func (q question) ask(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(lookUp(t, q.program), q.args...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		t.Fatalf("%s: %v\n%s", q.program, err, failed.Stderr)
	}
	return strings.TrimSpace(string(out))
}

// questions returns the ways of the README: shell, curl and Python.
func questions(t *testing.T, r *harness.Local) map[string]question {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := strings.NewReplacer(inThePod, r.SignalDir(), "http://127.0.0.1:4040", r.URL()).Replace(string(readme))
	shell := regexp.MustCompile("(?s)```sh\n(end=.*?)\n(curl .*?)\n```").FindStringSubmatch(document)
	python := regexp.MustCompile("(?s)```python\n(import.*?)```").FindStringSubmatch(document)
	if shell == nil || python == nil {
		t.Fatal("the README does not ask in shell, by curl and in Python")
	}
	return map[string]question{
		"shell":  {"sh", []string{"-c", shell[1]}},
		"curl":   {"sh", []string{"-c", "{ " + shell[2] + "\n} >/dev/null && echo yes"}},
		"python": {"python3", []string{"-c", python[1] + "print(token() or '')"}},
	}
}

// TestReadmeAsks runs the README's ways to ask beside a sidecar: before its first term, while it leads, while it stands by again, and
// after it was killed in a term, when the file is left behind.
func TestReadmeAsks(t *testing.T) {
	t.Parallel()
	r := harness.NewLocal(t, harness.LocalRoot(t), "replica-a", "--lease-duration", leaseDuration.String())
	r.TCP = true
	r.Start()
	r.AwaitLog("for=http-address")
	ways := questions(t, r)
	check := func(when string, want func(token string) map[string]string) {
		t.Helper()
		var diff string
		if !harness.Within(patience, leaseDuration/30, func() bool {
			before, got := r.Leadership(), map[string]string{}
			for name, q := range ways {
				got[name] = q.ask(t)
			}
			diff = cmp.Diff(want(before.Token), got)
			return diff == ""
		}) {
			t.Fatalf("%s (-want +got):\n%s", when, diff)
		}
	}
	yes := func(token string) map[string]string {
		if token == "" {
			return nil // not yet
		}
		return map[string]string{"shell": "this replica leads", "curl": "yes", "python": token}
	}
	no := func(string) map[string]string { return map[string]string{"shell": "", "curl": "", "python": ""} }

	check("before the first term", no)
	check("leading", yes)
	if status, body := r.Ask(http.MethodPost, "/step-down"); status != http.StatusAccepted {
		t.Fatalf("POST /step-down: %d %s", status, body)
	}
	check("after a step-down", no)
	check("leading again", yes)
	r.Stop(0)
	if _, err := os.Stat(filepath.Join(r.SignalDir(), "leader")); err != nil {
		t.Errorf("the killed sidecar's file is not left behind: %v", err)
	}
	check("after the sidecar was killed", no)
}
