package guard

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// A zombie that nobody waits for is collected; a child that somebody waits for is left to them.
func TestReapTakesOrphansOnly(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); Reap(ctx) }()
	defer func() { cancel(); <-done }()

	out, err := exec.Command("sh", "-c", `sleep 0.1 >/dev/null & echo $!`).Output() // its shell ends first: the orphan comes here
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	waited := exec.Command("sh", "-c", "sleep 1.5; exit 3")
	if err := waited.Start(); err != nil {
		t.Fatal(err)
	}
	if err := waited.Wait(); waited.ProcessState.ExitCode() != 3 {
		t.Errorf("its end was taken away: %v", err)
	}
	guardtest.Within(t, "the orphan is collected", func() bool {
		_, err := os.Stat("/proc/" + strconv.Itoa(orphan))
		return err != nil
	})
}

// A zombie that nobody waits for is known by a second look.
func TestReapLooksTwice(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	guardtest.Within(t, "it is a zombie", func() bool { return !guardtest.Lives(pid) })
	suspects := reap(nil)
	if p, err := procfs.ReadProcess(pid); err != nil || !suspects[p.ID] {
		t.Fatalf("after the first look: %v, suspects %v", err, suspects)
	}
	reap(suspects)
	if _, err := procfs.ReadProcess(pid); err == nil {
		t.Error("after the second look it is still there")
	}
	_ = cmd.Wait() // it was taken away
}
