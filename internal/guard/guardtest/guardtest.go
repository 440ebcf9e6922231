// Package guardtest helps tests that start processes: it makes them independent of how the test itself was started, and waits
// for what the processes do.
package guardtest

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// DefaultSignals makes a test independent of its caller's signal dispositions. nohup and the background jobs of a shell start
// programs with some signals ignored; every process inherits that, and a shell cannot undo it by trap. If this process was
// started so, DefaultSignals starts it again with the default action for every signal. Call it first in TestMain.
func DefaultSignals() {
	ignored := ignoredSignals()
	if len(ignored) == 0 {
		return
	}
	// Executing a program resets the signals that are caught, and only those, to their default action.
	signal.Notify(make(chan os.Signal, 1), ignored...)
	err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	fmt.Fprintln(os.Stderr, "start the test again without ignored signals:", err)
	os.Exit(1)
}

func ignoredSignals() (ignored []os.Signal) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(status), "\nSigIgn:")
	line, _, _ := strings.Cut(rest, "\n")
	mask, _ := strconv.ParseUint(strings.TrimSpace(line), 16, 64) // an error leaves 0: none is ignored
	for s := syscall.Signal(1); s <= 64; s++ {
		reserved := s >= 32 && s <= 34 // by the C library: Go cannot catch them, and would start again for ever
		if mask>>(s-1)&1 == 1 && !reserved {
			ignored = append(ignored, s)
		}
	}
	return ignored
}

// Within waits until so returns true, for 10 s at most.
func Within(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

// PID waits until a program has written a pid, or another number, and the end of the line to a file, and returns it.
func PID(t testing.TB, path string) (pid int) {
	t.Helper()
	Within(t, "a program writes "+path, func() bool {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

// Lives reports whether a process has not ended: a zombie has.
func Lives(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
