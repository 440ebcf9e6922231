//go:build linux

package harness

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestWorkIsSeen has two workers work at once and one after the other, in each manner, and looks at what the journals say.
func TestWorkIsSeen(t *testing.T) {
	w, pid := NewWork(t), filepath.Join(t.TempDir(), "pid")
	a := w.Start(t, "a", "linger=0.5")
	w.Await(t, 10*time.Second, "a")
	if w.Works(t, "b") || w.Double(t) != 0 {
		t.Error("b works, which was not started")
	}
	b := w.Start(t, "b", "leave", "wait", "pid="+pid)
	t.Cleanup(b.KillGroup)
	Eventually(t, 10*time.Second, "b has written down its pid", func() bool {
		found, err := filepath.Glob(pid)
		return err == nil && len(found) == 1
	})
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := b.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	w.Await(t, 10*time.Second, "b")
	if !w.Elected("b") || w.Elected("a") {
		t.Error("b was notified that it leads, a was not")
	}
	<-a.Exited()
	if double := w.Double(t); double < 100*time.Millisecond || double > 2*time.Second {
		t.Errorf("double work of %v, want what a worked on after SIGTERM", double)
	}
	if err := b.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-b.Exited()
	Throughout(t, 500*time.Millisecond, "b's worker goes on without it", func() bool { return w.Works(t, "b") })
	b.KillGroup()
	Eventually(t, 10*time.Second, "b's worker is gone", func() bool { return !w.Works(t, "b") })
}
