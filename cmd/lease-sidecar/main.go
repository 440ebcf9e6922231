// Command lease-sidecar elects at most one active replica of a workload, and signals to the workload whether its replica
// leads. Package elector says what that promises, `lease-sidecar --help` how to use it. This package parses and prints; the
// sidecar itself is package internal/sidecar.
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

// version is set by the linker (-X main.version=v1.2.3). Without it, the build's own record is shown.
var version string

// lastLine bounds how long the end waits for the reader of the log.
const lastLine = 500 * time.Millisecond

func main() {
	useOneProcessor()
	if code, is := helper(os.Args); is {
		os.Exit(code)
	}
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command: it returns the exit code instead of exiting, and writes errors to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	own, child := splitChild(args)
	app := newApp(child, stdin, stdout, stderr)
	if len(args) > 0 {
		nameAs(app, args[0])
	}
	own, err := fromClassic(own)
	if err == nil {
		err = app.RunContext(ctx, withArgumentLast(own))
	}
	if message := complaint(err); message != "" {
		say(stderr, "lease-sidecar: "+message)
	}
	return exitCode(err)
}

// say writes a line, but does not wait long for its reader.
func say(w io.Writer, line string) {
	out := logwriter.New(w, nil)
	fmt.Fprintln(out, line)
	out.Close(lastLine)
}

// splitChild cuts the arguments at the first "--"; child is nil without one. The flag parser must not see the command after
// it: it would take `run -- help` for a request for help, and `run sh` for `run -- sh`.
func splitChild(args []string) (own, child []string) {
	for i, arg := range args {
		if arg == "--" {
			return args[:i:i], args[i+1:]
		}
	}
	return args, nil
}

// useOneProcessor limits the runtime to one processor at a time, unless GOMAXPROCS is set. This program works in bursts of
// about a millisecond, and waking another processor costs more than the work: with one, an idle leader and its guard cost
// less and wake up half as often (make bench-idle). It also ends the runtime's checks of the CPU limit, one per active
// second. Threads in system calls do not count, so a slow disk blocks nobody.
func useOneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
