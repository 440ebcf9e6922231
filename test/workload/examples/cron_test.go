//go:build linux

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestCronExample runs the one-shot job in the states of a sidecar: with the files alone, with the binary, over HTTP.
func TestCronExample(t *testing.T) {
	for _, tc := range []struct {
		name   string
		show   func(*testing.T, *mock)
		spoils string // the step in which that happens; "" before the job starts
		works  bool
	}{
		{"leading", func(*testing.T, *mock) {}, "", true},
		{"a missing file", func(t *testing.T, m *mock) {
			m.dieButForReports() // as its removal would not show over HTTP
			m.remove(t, leadership.LeaderFile)
			m.remove(t, leadership.StateFile)
		}, "", false},
		{"a stale file", stale, "", false},
		{"half a document", func(t *testing.T, m *mock) {
			p := leading(t, "7")
			p.document, p.leader, p.answer = p.document[:100], time.Time{}, 503
			m.show(t, p)
		}, "", false},
		{"a dead sidecar", func(t *testing.T, m *mock) {
			stale(t, m) // as it gets by itself
			m.dieButForReports()
		}, "", false},
		{"loss on the way", stale, "1", false},
	} {
		for _, way := range []string{"file", "binary", "http"} {
			t.Run(tc.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				m := newMock(t)
				m.show(t, leading(t, "7"))
				if tc.spoils == "" {
					tc.show(t, m)
				}
				out, code := runJob(t, m, way, func() {
					if tc.spoils != "" {
						tc.show(t, m)
					}
				})
				switch {
				case tc.works && (code != 0 || !strings.Contains(out, "\none\n") || !strings.Contains(out, "\ntwo\n")):
					t.Errorf("status %d; want 0 and both steps\n%s", code, out)
				case tc.spoils != "" && (code != 1 || strings.Contains(out, "\ntwo\n") || m.reports() != 1):
					t.Errorf("status %d and %d reports; want 1 and one, and no second step\n%s", code, m.reports(), out)
				case !tc.works && tc.spoils == "" && (code != 0 || out != "standing by\n"):
					t.Errorf("status %d; want 0 and no step\n%s", code, out)
				}
				if way != "http" && tc.works && !strings.Contains(out, "token is 99999\n") {
					t.Errorf("a step does not find its token\n%s", out)
				}
			})
		}
	}
}

// stale makes everything say that the term is over.
func stale(t *testing.T, m *mock) {
	m.show(t, picture{
		answer: 503, document: document(t, "7", bootclock.System{}.Now().Add(-time.Millisecond)),
		leader: time.Now().Add(-time.Second),
	})
}

// runJob runs a job of two steps, and calls between while the first one waits.
func runJob(t *testing.T, m *mock, way string, between func()) (out string, code int) {
	t.Helper()
	folder := t.TempDir()
	begun, goOn := filepath.Join(folder, "begun"), filepath.Join(folder, "go-on")
	command := exec.Command(lookUp(t, "sh"), filepath.Join(harness.ModuleRoot(t), "examples", "cron", "if-leader.sh"),
		`echo one; echo "token is $TOKEN"; touch `+begun+`; until [ -e `+goOn+` ]; do sleep 0.02; done`, "echo two")
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "SIDECAR_URL=" + m.url, "SIGNAL_DIR=" + m.dir}
	switch way {
	case "binary":
		command.Env[0] = "PATH=" + filepath.Dir(harness.ShippedBinary(t)) + ":" + os.Getenv("PATH")
	case "http":
		command.Env[2] = "SIGNAL_DIR="
	}
	var text strings.Builder
	command.Stdout, command.Stderr = &text, &text
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // its status is looked at below
	}()
	defer time.AfterFunc(patience, func() { _ = command.Process.Kill() }).Stop()
	eventually(t, "the first step runs, or the job ends", func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		_, err := os.Stat(begun)
		return err == nil
	})
	between()
	if err := os.WriteFile(goOn, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	<-ended
	return text.String(), command.ProcessState.ExitCode()
}
