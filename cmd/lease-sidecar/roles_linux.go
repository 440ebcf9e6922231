package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/runlock"
)

// helper runs this process as a guard, or as the holder of a run lock, if the arguments say so in the plain form: the
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

func runGuard(argv []string) int {
	debug.SetGCPercent(20) // it keeps next to nothing
	if err := guard.Main(argv); err != nil {
		say(os.Stderr, "lease-sidecar guard: "+err.Error())
		return exitNo
	}
	return exitWell
}

// keepsRunLock reports whether the arguments have the plain form with-run-lock [--signal-dir DIR] -- CMD ARG….
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

// keepRunLock holds the run lock for a command.
func keepRunLock(dir string, command []string, stderr io.Writer) int {
	debug.SetGCPercent(20) // it keeps next to nothing
	status, err := runlock.Keep(dir, command)
	if err != nil {
		fmt.Fprintf(stderr, "lease-sidecar: %s: %v\n", withRunLock, err)
	}
	return status
}

// holdRunLock does the same once the command line has validated the options.
func holdRunLock(dir string, command []string, stderr io.Writer) error {
	if status := keepRunLock(dir, command, stderr); status != 0 {
		return exit{status, errNo}
	}
	return nil
}
