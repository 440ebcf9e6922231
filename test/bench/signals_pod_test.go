//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// receiver in the environment makes this program the process that TestSignals has signalled: see [receive].
const receiver = "BENCH_RECEIVER"

// receive writes its pid to the file that [receiver] names, and prints when each SIGUSR1 comes, on the wall clock in nanoseconds.
// It ends with its pod.
func receive() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	if err := os.WriteFile(os.Getenv(receiver), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for s := range signals {
		if now := time.Now().UnixNano(); s == syscall.SIGUSR1 {
			fmt.Println(now)
		}
	}
	return 0
}

// podLauncher runs the receiver and, beside it, a program in a pid namespace of their own, and ends with the program. The program
// sees no other processes of the machine, as in a pod.
const podLauncher = `#!/bin/sh
exec unshare --pid --fork --kill-child --mount-proc sh -c '
	receiver=$1 pid=$2 lines=$3
	shift 3
	BENCH_RECEIVER=$pid "$receiver" >"$lines" &
	"$@"' sh '%s' '%s' '%s' '%s' "$@"
`

// signalPod is a launcher of a program, which starts the process to signal, too.
type signalPod struct {
	launcher, pidFile string
	signals           chan time.Time // when that process had a signal
}

func newSignalPod(t *testing.T, program string) *signalPod {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &signalPod{launcher: filepath.Join(dir, "pod"), pidFile: filepath.Join(dir, "pid"), signals: make(chan time.Time, 1)}
	lines := filepath.Join(dir, "lines")
	if err := syscall.Mkfifo(lines, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.launcher, fmt.Appendf(nil, podLauncher, self, p.pidFile, lines, program), 0o700); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(lines, os.O_RDWR, 0) // does not wait for the receiver
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pipe.Close() })
	go func() { // ends with the pipe
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if at, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				p.signals <- time.Unix(0, at)
			}
		}
	}()
	return p
}

// pipe is a named pipe for a command that opens it for reading, which shows that it runs.
type pipe struct {
	path   string
	opened chan *os.File
	at     chan time.Time // when the command opened it
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	p := &pipe{path: filepath.Join(t.TempDir(), "pipe"), opened: make(chan *os.File, 1), at: make(chan time.Time, 1)}
	if err := syscall.Mkfifo(p.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// expect notes when the next command opens the pipe. Close must follow.
func (p *pipe) expect() {
	go func() { // ends once a command opens the other end
		f, err := os.OpenFile(p.path, os.O_WRONLY, 0)
		p.at <- time.Now()
		if err != nil {
			f = nil
		}
		p.opened <- f
	}()
}

// close ends what the command reads.
func (p *pipe) close() { _ = (<-p.opened).Close() }
