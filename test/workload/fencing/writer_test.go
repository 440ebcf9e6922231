//go:build linux

package fencing

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// writer is a process that looks whether its replica leads, takes the token, pauses, and writes "late".
type writer struct {
	*harness.Process
	t      *testing.T
	begun  string
	goFile string
}

// pause is the program that writers call where they are to be frozen.
const pause = `#!/bin/sh
echo paused >&2
until [ -e "$GO" ]; do sleep 0.05; done
`

// startLate starts a writer beside that replica. It goes on once goOn has been called.
func (r resource) startLate(t *testing.T, beside *harness.Local) *writer {
	t.Helper()
	w := &writer{t: t, begun: r.begun, goFile: filepath.Join(r.dir, "go")}
	programs := filepath.Join(r.dir, "bin")
	err := os.Mkdir(programs, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(programs, "pause"), []byte(pause), 0o700)
	}
	if err == nil {
		err = os.Symlink(harness.ShippedBinary(t), filepath.Join(programs, "lease-sidecar"))
	}
	if err != nil {
		t.Fatal(err)
	}
	look := strings.ReplaceAll(strings.TrimSpace(block(t, "token.sh")), "/var/run/lease-sidecar", beside.SignalDir())
	late := r.late
	if late == "" {
		late = "pause && " + r.write
	}
	script := look + " || exit\nexport TOKEN\ncd " + r.dir + " && " + late
	w.Process = harness.Launch(t, filepath.Base(r.dir)+"'s writer", filepath.Join(r.dir, "writer.log"), "/bin/sh", []string{"-c", script},
		append(os.Environ(), r.environment("VALUE=late", "GO="+w.goFile, "PATH="+programs+":"+os.Getenv("PATH"))...))
	t.Cleanup(func() { _ = syscall.Kill(-w.PID(), syscall.SIGKILL) }) // what its shell has started
	return w
}

// awaitBegun waits until it has looked, and pauses.
func (w *writer) awaitBegun() {
	w.t.Helper()
	harness.Eventually(w.t, patience, w.Name+" pauses", func() bool { return strings.Contains(w.Log(), w.begun) || !w.Alive() })
	if !w.Alive() {
		w.t.Fatalf("%s has ended with status %d:\n%s", w.Name, w.ExitCode(), w.Log())
	}
}

// signal sends sig to the writer and all that it runs.
func (w *writer) signal(sig syscall.Signal) {
	w.t.Helper()
	if err := syscall.Kill(-w.PID(), sig); err != nil {
		w.t.Fatalf("send %v to %s: %v", sig, w.Name, err)
	}
}

// goOn ends its pause, if it is not frozen.
func (w *writer) goOn() {
	w.t.Helper()
	if err := os.WriteFile(w.goFile, nil, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// ended waits for its end, and returns what it has printed and whether its write was let in.
func (w *writer) ended() (out string, accepted bool) {
	w.t.Helper()
	harness.Eventually(w.t, patience, w.Name+" ends", func() bool { return !w.Alive() })
	return w.Log(), w.ExitCode() == 0
}
