package runlock

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// holdEnv makes this test binary a workload: its value is HOW PATH, where HOW is one of the locks below, with "ro-"
// before it to see the directory by a read-only mount of its own.
const holdEnv = "RUNLOCK_HOLD"

func TestMain(m *testing.M) {
	if order := os.Getenv(holdEnv); order != "" {
		os.Exit(hold(order))
	}
	goleak.VerifyTestMain(m)
}

// hold takes the lock, says "held", and obeys lines: "drop" lets go, "take" takes it again, "attempts N" tries N times
// in a row not to wait, and says how often that failed. It ends with its input.
func hold(order string) int {
	how, path, _ := strings.Cut(order, " ")
	if bare, ok := strings.CutPrefix(how, "ro-"); ok {
		how = bare
		dir := filepath.Dir(path)
		for _, err := range []error{
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount(dir, dir, "", unix.MS_BIND, ""),
			unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""),
		} {
			if err != nil {
				return complain(err)
			}
		}
		if _, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
			return complain(fmt.Errorf("%s can be written", path))
		}
	}
	file, err := os.Open(path) // for reading only
	if err != nil {
		return complain(err)
	}
	if err := take(how, file, true); err != nil {
		return complain(err)
	}
	fmt.Println("held")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		order, number, _ := strings.Cut(lines.Text(), " ")
		switch order {
		case "drop":
			err = drop(file)
		case "take":
			err = take(how, file, true)
		case "attempts":
			var n, failed int
			_, _ = fmt.Sscan(number, &n)
			for range n {
				if take(how, file, false) != nil {
					failed++
				}
				err = drop(file)
			}
			fmt.Println("failed", failed)
			continue
		}
		if err != nil {
			return complain(err)
		}
		fmt.Println(order)
	}
	return 0
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "holder:", err)
	return 1
}

func take(how string, file *os.File, wait bool) error {
	lock := unix.Flock_t{Type: unix.F_RDLCK, Len: 1<<63 - 1}
	commands := map[string]int{"posix": unix.F_SETLKW, "ofd": unix.F_OFD_SETLKW}
	flags := map[string]int{"shared": unix.LOCK_SH, "exclusive": unix.LOCK_EX}
	if !wait {
		commands = map[string]int{"posix": unix.F_SETLK, "ofd": unix.F_OFD_SETLK}
		flags = map[string]int{"shared": unix.LOCK_SH | unix.LOCK_NB, "exclusive": unix.LOCK_EX | unix.LOCK_NB}
	}
	if command, ok := commands[how]; ok {
		return unix.FcntlFlock(file.Fd(), command, &lock)
	}
	if how == "opened" {
		return nil
	}
	return unix.Flock(int(file.Fd()), flags[how])
}

func drop(file *os.File) error {
	lock := unix.Flock_t{Type: unix.F_UNLCK}
	for _, command := range []int{unix.F_SETLK, unix.F_OFD_SETLK} {
		if err := unix.FcntlFlock(file.Fd(), command, &lock); err != nil {
			return err
		}
	}
	return unix.Flock(int(file.Fd()), unix.LOCK_UN)
}

// holder is a process that holds the lock.
type holder struct {
	t       *testing.T
	command *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// holds starts a process that holds the lock in the directory, and waits until it does. change may say how it lives.
func holds(t *testing.T, how, dir string, change ...func(*exec.Cmd)) *holder {
	t.Helper()
	h := &holder{t: t, command: exec.Command("/proc/self/exe")}
	h.command.Env = append(os.Environ(), holdEnv+"="+how+" "+filepath.Join(dir, fileName), "GORACE=atexit_sleep_ms=0")
	h.command.Stderr = os.Stderr
	h.command.SysProcAttr = &syscall.SysProcAttr{}
	for _, c := range change {
		c(h.command)
	}
	answers, err := h.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.orders, err = h.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.command.Start(); err != nil {
		t.Fatal(err)
	}
	h.answers = bufio.NewReader(answers)
	t.Cleanup(h.kill)
	h.wants("held")
	return h
}

func (h *holder) wants(want string) string {
	h.t.Helper()
	line, err := h.answers.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, want) {
		h.t.Fatalf("the holder says %q, %v; want %q", line, err, want)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, want))
}

// obeys gives the order and waits until it is done.
func (h *holder) obeys(order string) {
	h.t.Helper()
	if _, err := fmt.Fprintln(h.orders, order); err != nil {
		h.t.Fatal(err)
	}
	h.wants(order)
}

// kill kills the process and waits until it is no more.
func (h *holder) kill() {
	if h.command.ProcessState == nil {
		_ = h.command.Process.Kill()
		_ = h.command.Wait()
	}
}

// seen is a RunLock under test, with what it reports.
type seen struct {
	*RunLock
	*sighttest.Events
	t   *testing.T
	mu  sync.Mutex
	log strings.Builder
}

func (s *seen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *seen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// see makes the run lock of a directory, and runs it until the test ends.
func see(t *testing.T, dir string) *seen {
	t.Helper()
	s := &seen{t: t, Events: sighttest.NewEvents()}
	var err error
	s.RunLock, err = New(Config{Dir: dir, Clock: bootclock.System{}, Ended: s.Ended, Log: slog.New(slog.NewTextHandler(s, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	running.Go(func() { s.Watch(ctx, s.Changed) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.text())
		}
	})
	return s
}

// wants waits until the state is so, by events alone: it does not look at the lock by itself.
func (s *seen) wants(want sight.State, ending bool) {
	s.t.Helper()
	s.Wants(s.t, want, func() sight.State { return s.Presence.State(ending) })
}
