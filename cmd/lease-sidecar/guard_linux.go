package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/logwriter"
)

// isGuard reports whether this process is to be a sidecar's guard, which the command line's machinery is too heavy for.
func isGuard(args []string) bool {
	_, is := guard.Invoked(args)
	return is
}

// runGuard is the guard process.
func runGuard(args []string) int {
	debug.SetGCPercent(20) // it keeps next to nothing
	_ = shedIdlePages() // what fails costs memory only
	argv, _ := guard.Invoked(args)
	if err := guard.Main(argv); err != nil {
		say := logwriter.New(os.Stderr, nil)
		fmt.Fprintf(say, "lease-sidecar guard: %v\n", err)
		say.Close(lastLine)
		return exitNo
	}
	return exitWell
}
