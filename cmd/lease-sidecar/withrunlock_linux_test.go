package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// lockHeld reports whether somebody holds a lock on the file.
func lockHeld(t *testing.T, path string) bool {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

// The lock is held until a grandchild has gone that has closed all descriptors and left the session; the command itself
// has ended long before. A signal then reaches what is left.
func TestRunLockOutlastsTheCommand(t *testing.T) {
	for name, end := range map[string]func(parent *os.Process, daemon int) error{
		"the last one ends":          func(_ *os.Process, daemon int) error { return syscall.Kill(daemon, syscall.SIGKILL) },
		"its parent is asked to end": func(parent *os.Process, _ int) error { return parent.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			// A shell's & and setsid: the sleep's parent is gone, and so are all descriptors above 2.
			c, lock, out := locked(t, `setsid sh -c 'exec 3>&- 4>&- 5>&-; echo $$; exec >/dev/null; sleep 60 & wait' & sleep 0.1; exit 3`)
			var daemon int
			line, _ := out.ReadString('\n')
			if _, err := fmt.Sscan(line, &daemon); err != nil {
				t.Fatalf("got %q: %v", line, err)
			}
			soon(t, 20*time.Second, "the command has ended, and left the daemon to its parent", func() bool {
				p, err := procfs.ReadProcess(daemon)
				return err == nil && p.Parent == c.Process.Pid
			})
			time.Sleep(500 * time.Millisecond) // a process that ends with the command would have ended by now
			if !lockHeld(t, lock) {
				t.Error("a daemon lives, and the lock is free")
			}
			if err := end(c.Process, daemon); err != nil {
				t.Fatal(err)
			}
			_ = syscall.Kill(-daemon, syscall.SIGKILL) // its sleep, where the signal did not reach it
			if err := c.Wait(); c.ProcessState.ExitCode() != 3 {
				t.Errorf("it ended with %v; want the command's status 3", err)
			}
			if lockHeld(t, lock) {
				t.Error("nobody lives, and the lock is held")
			}
		})
	}
}

// A signal that is not ignored reaches the command.
func TestRunLockPassesSignalsOn(t *testing.T) {
	c, _, lines := locked(t, `trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.02; done`)
	for _, step := range []struct {
		want string
		next syscall.Signal
	}{{"ready\n", syscall.SIGUSR1}, {"usr1\n", syscall.SIGTERM}, {"term\n", 0}} {
		if line, err := lines.ReadString('\n'); line != step.want {
			t.Fatalf("got %q, %v; want %q", line, err, step.want)
		}
		if err := c.Process.Signal(step.next); err != nil && step.next != 0 {
			t.Fatal(err)
		}
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != 9 {
		t.Errorf("it ended with %v; want status 9", err)
	}
}

// locked starts a script under a run lock, and returns what it prints beside the lock's path.
func locked(t *testing.T, script string) (c *exec.Cmd, lock string, out *bufio.Reader) {
	t.Helper()
	dir := t.TempDir()
	lock = filepath.Join(dir, "run.lock")
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c = exec.Command("lease-sidecar", "with-run-lock", "--signal-dir", dir, "--", "sh", "-c", script)
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c, lock, bufio.NewReader(pipe)
}
