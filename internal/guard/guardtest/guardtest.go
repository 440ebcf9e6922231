// Package guardtest helps tests that start processes: it isolates them from the way the test was started, and waits.
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

// DefaultSignals makes a test independent of inherited signal dispositions. nohup and a shell's background jobs start
// programs with some signals ignored, which every child inherits. In that case DefaultSignals executes the test again with
// the default action for every signal. Call it first in TestMain.
func DefaultSignals() {
	ignored := ignoredSignals()
	if len(ignored) == 0 {
		return
	}
	// Executing a program resets only the caught signals to their default action.
	signal.Notify(make(chan os.Signal, 1), ignored...)
	err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	fmt.Fprintln(os.Stderr, "start the test again without ignored signals:", err)
	os.Exit(1)
}

// GuardItself makes a test's binary its own guard, as the command is: it takes guard.Invoked and guard.Main, as the guard's own tests use
// this package too. Where the arguments are a guard's it does not return. It includes [DefaultSignals]. Call it first in TestMain.
func GuardItself(invoked func(args []string) (argv []string, ok bool), run func(argv []string) error) {
	DefaultSignals()
	argv, ok := invoked(os.Args)
	if !ok {
		return
	}
	if err := run(argv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
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
		reserved := s >= 32 && s <= 34 // Go cannot catch those of the C library, and would execute the test again for ever
		if mask>>(s-1)&1 == 1 && !reserved {
			ignored = append(ignored, s)
		}
	}
	return ignored
}

// Within waits until so returns true, at most 10 s.
func Within(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

// PID waits until a program has written a number and a line end to a file, and returns the number.
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

// Lives reports whether a process exists and is not a zombie.
func Lives(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
