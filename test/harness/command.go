//go:build linux

package harness

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// commandBound is how long a command may take that answers and ends.
const commandBound = time.Minute

// RunCommand runs a command to its end and returns its output, both streams together, and its exit status.
func RunCommand(t testing.TB, binary string, args ...string) (string, int) {
	t.Helper()
	return RunCommandWith(t, nil, binary, args...)
}

// RunCommandWith is RunCommand with more environment variables.
func RunCommandWith(t testing.TB, env []string, binary string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", cmd, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("run %s: not done within %v\n%s", cmd, commandBound, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
