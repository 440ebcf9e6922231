package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/runlock"
)

// helper runs this process as a sidecar's guard, or as the holder of a run lock, where the arguments say so in the plain way; the
// command line's machinery is too heavy for both. It returns the exit code, and whether the process was one of them.
func helper(args []string) (code int, is bool) {
	if argv, ok := guard.Invoked(args); ok {
		return runGuard(argv), true
	}
	if dir, command, plain := keepsRunLock(args); plain {
		return keepRunLock(dir, command, os.Stderr), true
	}
	return 0, false
}

// runGuard is the guard process.
func runGuard(argv []string) int {
	debug.SetGCPercent(20)    // it keeps next to nothing
	_ = footprint.DropPages() // what fails costs memory only
	if err := guard.Main(argv); err != nil {
		say(os.Stderr, "lease-sidecar guard: "+err.Error())
		return exitNo
	}
	return exitWell
}

// keepsRunLock reports whether this process is to hold the run lock for a command, in the plain way that needs nothing of
// the command line's machinery: with-run-lock [--signal-dir DIR] -- CMD ARG….
func keepsRunLock(args []string) (dir string, command []string, plain bool) {
	if len(args) < 2 || args[1] != withRunLock {
		return "", nil, false
	}
	own, command := splitChild(args[2:])
	dir = os.Getenv(signalDirFlag.Env())
	for len(own) > 0 {
		value, assigned := strings.CutPrefix(own[0], "--signal-dir=")
		switch {
		case assigned:
			dir, own = value, own[1:]
		case own[0] == "--signal-dir" && len(own) > 1:
			dir, own = own[1], own[2:]
		default:
			return "", nil, false
		}
	}
	return dir, command, dir != "" && len(command) > 0
}

// keepRunLock is that process.
func keepRunLock(dir string, command []string, stderr io.Writer) int {
	debug.SetGCPercent(20)    // it keeps next to nothing
	_ = footprint.DropPages() // what fails costs memory only
	status, err := runlock.Keep(dir, command)
	if err != nil {
		fmt.Fprintf(stderr, "lease-sidecar: %s: %v\n", withRunLock, err)
	}
	return status
}

// holdRunLock does the same from the command line, which has judged the options.
func holdRunLock(dir string, command []string, stderr io.Writer) error {
	if status := keepRunLock(dir, command, stderr); status != 0 {
		return exit{status, errNo}
	}
	return nil
}
