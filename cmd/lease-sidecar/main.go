// Command lease-sidecar elects at most one active replica of a workload, and signals to the workload whether its replica leads. See
// package elector for what that promises, and `lease-sidecar --help` for how to use it. This package parses and prints; the sidecar
// itself is package internal/sidecar.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/logwriter"
)

// version is set by the linker (-X main.version=v1.2.3); without it the build's own record is shown.
var version string

// lastLine bounds how long the end waits for whoever reads the log.
const lastLine = 500 * time.Millisecond

func main() {
	useOneProcessor()
	if code, is := helper(os.Args); is {
		os.Exit(code)
	}
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command in one call: it returns the exit code instead of exiting, and says why on stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	own, child := splitChild(args)
	app := newApp(child, stdin, stdout, stderr)
	own, err := fromClassic(own)
	if err == nil {
		err = app.RunContext(ctx, own)
	}
	if message := complaint(err); message != "" {
		say(stderr, "lease-sidecar: "+message)
	}
	return exitCode(err)
}

// say writes a line, and is not held up for long by whoever reads it.
func say(w io.Writer, line string) {
	out := logwriter.New(w, nil)
	fmt.Fprintln(out, line)
	out.Close(lastLine)
}

// splitChild cuts the arguments at the first "--". What follows is the command to run, which the flag parser must
// not see: it would take `run -- help` for a request for help, and `run sh` for `run -- sh`. The result is nil
// where there was no "--".
func splitChild(args []string) (own, child []string) {
	for i, arg := range args {
		if arg == "--" {
			return args[:i:i], args[i+1:]
		}
	}
	return args, nil
}

// useOneProcessor has the runtime run Go code on one processor at a time. What this program does comes in bursts of about a
// millisecond, and waking another processor for a goroutine costs more than the work itself: with one, an idle leader and its
// guard cost less and wake up half as often (make bench-idle). It also ends the runtime's own looks at the CPU limit, one in each
// second in which anything happens. A thread in a system call does not count, so a slow disk holds up nobody. Whoever has set
// GOMAXPROCS keeps it.
func useOneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
