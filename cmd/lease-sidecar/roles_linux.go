package main

import (
	"os"
	"runtime/debug"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
	"github.com/lease-sidecar/lease-sidecar/internal/guard"
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
