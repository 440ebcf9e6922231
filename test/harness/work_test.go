//go:build linux

package harness

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// TestWorkIsSeen has two workloads work at once and one after the other, in each manner, and looks at what the journals say.
func TestWorkIsSeen(t *testing.T) {
	w, pid := NewWork(t), filepath.Join(t.TempDir(), "pid")
	a := w.Start(t, "a", Conduct{"Stop": 500 * time.Millisecond}, "-child")
	w.Await(t, 10*time.Second, "a")
	b := w.Start(t, "b", Conduct{"Workers": 1, "Leave": true, "Deaf": true, "Linger": 2 * time.Second}, "-pid-file", pid)
	Eventually(t, 10*time.Second, "b has written down its pid", func() bool {
		found, err := filepath.Glob(pid)
		return err == nil && len(found) == 1
	})
	if w.Works(t, "b") || w.Double(t) != 0 {
		t.Error("b works, which was not notified")
	}
	b.send(t, syscall.SIGUSR1)
	w.Await(t, 10*time.Second, "b")
	a.send(t, syscall.SIGTERM)
	<-a.Exited()
	if double := w.Double(t); double < 100*time.Millisecond {
		t.Errorf("double work of %v, want what a worked on after SIGTERM", double)
	}
	b.send(t, syscall.SIGTERM)
	<-b.Exited()
	ended := w.Terms(t)
	Eventually(t, 10*time.Second, "b's worker goes on without it", func() bool { return w.Terms(t)[len(ended)-1].To > ended[len(ended)-1].To })
	Eventually(t, 10*time.Second, "b's worker is gone", func() bool { return !w.Works(t, "b") })
}

// TestIgnoredEnd has a workload ignore SIGTERM and work on.
func TestIgnoredEnd(t *testing.T) {
	w := NewWork(t)
	p := w.Start(t, "a", Conduct{"Ignore": true}, "-child")
	w.Await(t, 10*time.Second, "a")
	asked := bootclock.System{}.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 10*time.Second, "it works on", func() bool {
		terms := w.Terms(t)
		return terms[len(terms)-1].To.Sub(asked) > 300*time.Millisecond
	})
}
