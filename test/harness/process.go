//go:build linux

package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Process is a child of the test whose output goes to a file. It dies with the test process.
type Process struct {
	// Name says what runs, for logs.
	Name string
	// LogPath is the file with its standard output and error. A restarted process goes on in the same file.
	LogPath string

	cmd    *exec.Cmd
	exited chan struct{}
	ended  bootclock.Instant // read it once exited is closed
}

// Launch starts binary with exactly the environment env and its output appended to logPath. It ends with the test.
func Launch(t testing.TB, name, logPath, binary string, args, env []string) *Process {
	t.Helper()
	p, err := Spawn(name, logPath, binary, args, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}

// Spawn is Launch for a process that the caller stops, from any goroutine.
func Spawn(name, logPath, binary string, args, env []string) (*Process, error) {
	return launch(name, logPath, nil, binary, args, env)
}

// launch is Spawn. Where stdout is not nil, the standard output goes there.
func launch(name, logPath string, stdout *os.File, binary string, args, env []string) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	p := &Process{Name: name, LogPath: logPath, exited: make(chan struct{})}
	p.cmd, err = startAgain(func() *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
		if stdout != nil {
			cmd.Stdout = stdout
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		return cmd
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // ends with the child; Stop waits for it
		_ = p.cmd.Wait()
		p.ended = bootclock.System{}.Now()
		close(p.exited)
	}()
	return p, nil
}

// busyBound is how long a program that was just written may be open for writing in a process that is being started.
const busyBound = 5 * time.Second

// startAgain starts what command makes, and again where its program is still open for writing. That is so for a moment
// after a launcher was written, when another goroutine started a process at that time, which inherits the descriptor
// until it executes its own program.
func startAgain(command func() *exec.Cmd) (*exec.Cmd, error) {
	for deadline := time.Now().Add(busyBound); ; time.Sleep(5 * time.Millisecond) {
		cmd := command()
		err := cmd.Start()
		if !errors.Is(err, syscall.ETXTBSY) || time.Now().After(deadline) {
			return cmd, err
		}
	}
}

// PID is the child's process number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends sig to the child. An error means that it has exited.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, p.Name, err)
	}
	return nil
}

// Freeze stops the child as a debugger or a starved machine does.
func (p *Process) Freeze(t testing.TB) { t.Helper(); p.send(t, syscall.SIGSTOP) }

// Wake lets a frozen child go on.
func (p *Process) Wake(t testing.TB) { t.Helper(); p.send(t, syscall.SIGCONT) }

// Terminate sends SIGTERM and waits until the child has exited with status 0.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	p.send(t, syscall.SIGTERM)
	p.AwaitExit(t, 30*time.Second, 0)
}

func (p *Process) send(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// AwaitExit waits until the child has ended, and checks its status.
func (p *Process) AwaitExit(t testing.TB, bound time.Duration, want int) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(bound):
		t.Fatalf("%s still runs after %v; the end of its log:\n%s", p.Name, bound, p.Tail(10))
	}
	if got := p.ExitCode(); got != want {
		t.Errorf("%s: exit status %d, want %d; the end of its log:\n%s", p.Name, got, want, p.Tail(10))
	}
}

// Exited is closed once the child has ended and has been reaped.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Alive reports whether the child still runs (or is frozen).
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// ExitCode is the child's status after Exited: its exit code, or -1 where a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Stop ends the child: SIGTERM, and SIGKILL where it is still there after grace (at once for grace 0).
func (p *Process) Stop(grace time.Duration) {
	if grace > 0 {
		_ = p.Signal(syscall.SIGTERM)
		_ = p.Signal(syscall.SIGCONT)
		select {
		case <-p.exited:
			return
		case <-time.After(grace):
		}
	}
	_ = p.Signal(syscall.SIGKILL)
	<-p.exited
}

// end stops the child at the test's end, and shows the last lines of its log where the test has failed.
func (p *Process) end(t testing.TB, lines int) {
	if p.cmd == nil {
		return // never started
	}
	p.Stop(0)
	if t.Failed() {
		t.Logf("the end of %s's log:\n%s", p.Name, p.Tail(lines))
	}
}

// Log returns all that the child has written so far.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.LogPath)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(b)
}

// Tail returns the last lines of the log.
func (p *Process) Tail(lines int) string {
	b := []byte(p.Log())
	all := bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

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

// CPUTime is the processor time that a process has used, in steps of 10 ms.
func CPUTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("read the processor time of %d: %v", pid, err)
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	var ticks int
	for _, field := range strings.Fields(string(after))[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("read the processor time of %d: %v", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Threads returns the threads of a process, none where it has ended. Those of a Go program hardly ever end.
func Threads(pid int) (tids []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids
}

// StatusField returns a number of the status of a process or a thread, such as VmRSS in KiB; 0 where it has ended.
func StatusField(pid int, field string) (n int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\n"+field+":")
	_, _ = fmt.Sscan(rest, &n)
	return n
}
