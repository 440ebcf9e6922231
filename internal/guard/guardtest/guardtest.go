// Package guardtest helps tests that start processes whose signals matter.
package guardtest

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
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
		if mask>>(s-1)&1 == 1 {
			ignored = append(ignored, s)
		}
	}
	return ignored
}
