package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block has every read of the store wait until the returned function is called.
func block(t *testing.T, store string) (release func()) {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(store, ".*.lock"))
	if err != nil || len(locks) == 0 {
		t.Fatalf("no lock in the store: %v", err)
	}
	f, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// A sidecar that was killed is asked to hand over while it resumes: it never says that it leads. Its process lives on, told
// its loss, so nobody has seen the work stop: the Lease is kept until validUntil.
func TestStepDownWhileResuming(t *testing.T) {
	t.Setenv("POD_UID", "0b1f0000-0000-4000-8000-000000000001")
	store := newStore(t)
	a := newPod(t, store, "a", "on(signal.SIGUSR2)", "--on-lost", "USR2", "--signal-dir", t.TempDir())
	within(t, 20*time.Second, "a leads", func() bool { return strings.Contains(a.sidecar.text(), `msg=leading`) })
	release := block(t, store)
	signal(t, a.sidecar, syscall.SIGKILL)
	<-a.sidecar.over
	a.sidecar = start(t, exec.Command(binary, a.sidecar.Args[1:]...))
	// Until it listens, and has found the term to resume, it takes no order.
	within(t, 2*time.Second, "a takes the order", func() bool {
		return exec.Command(binary, "step-down", "--http-address", "unix:"+a.socket(store)).Run() == nil
	})
	release()
	within(t, 15*time.Second, "a has handed over", func() bool { return strings.Contains(a.sidecar.text(), "the workload counts as stopped") })
	text := a.sidecar.text()
	if !strings.Contains(text, "it is resumed for that alone") || !strings.Contains(text, "leading=false") {
		t.Errorf("no handover of a term that is resumed for it alone:\n%s", text)
	}
	if a.app.ended() || !strings.Contains(text, `because="validUntil has passed"`) {
		t.Errorf("released before validUntil, with the process alive: %v:\n%s", !a.app.ended(), text)
	}
}
