// Command lease-sidecar elects one active replica of a workload and tells it so. See package elector for what that
// promises, and `lease-sidecar --help` for how to use it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/lease-sidecar/lease-sidecar/internal/logwriter"
)

// version is set by the linker (-X main.version=v1.2.3); without it the build's own record is shown.
var version string

func main() {
	useOneProcessor()
	if isGuard(os.Args) {
		os.Exit(runGuard(os.Args))
	}
	if dir, command, plain := keepsRunLock(os.Args); plain {
		os.Exit(keepRunLock(dir, command, os.Stderr))
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
		say := logwriter.New(stderr, nil)
		fmt.Fprintf(say, "lease-sidecar: %s\n", message)
		say.Close(lastLine)
	}
	return exitCode(err)
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
