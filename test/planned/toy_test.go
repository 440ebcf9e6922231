package planned

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// What makes this test binary a workload, and of which kind.
const (
	toyEnv      = "PLANNED_TOY"      // "toy", or "worker"
	dirEnv      = "PLANNED_DIR"      // the replica's folder
	stopEnv     = "PLANNED_STOP"     // how long it works on after SIGTERM
	leavesEnv   = "PLANNED_LEAVES"   // "" or how long a worker that it starts works on after its own end
	followEnv   = "PLANNED_FOLLOW"   // "" or "file": it works while the signal directory says that it leads, not from its start on
	endpointEnv = "PLANNED_ENDPOINT" // "" or "yes": it has an endpoint, which it closes at SIGTERM
)

// Files of a replica's folder. Those of work are in a folder that all replicas share.
const (
	signalDir = "signal"
	socket    = "app.sock"
	pidFile   = "pid"
	workDir   = "work"
)

const tick = 2 * time.Millisecond

func now() bootclock.Instant { return bootclock.System{}.Now() }

// spell is a process's own record of its work: when it began, and when it last knew to be at work.
type spell struct{ file *os.File }

func beginWork() spell {
	dir := os.Getenv(dirEnv)
	name := filepath.Join(filepath.Dir(dir), workDir, fmt.Sprintf("%s.%d.%d", filepath.Base(dir), os.Getpid(), now()))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "toy:", err)
		os.Exit(1)
	}
	s := spell{f}
	_, _ = f.WriteAt(fmt.Appendf(nil, "%020d", now()), 0)
	s.work()
	return s
}

func (s spell) work() { _, _ = s.file.WriteAt(fmt.Appendf(nil, " %020d working", now()), 20) }
func (s spell) end()  { _, _ = s.file.WriteAt(fmt.Appendf(nil, " %020d stopped", now()), 20) }

// workOn works for so long.
func (s spell) workOn(d time.Duration) {
	for until := now().Add(d); now().Before(until); time.Sleep(tick) {
		s.work()
	}
}

// toyMain is a workload: it works from its start on, or while it is told so, and after SIGTERM for as long as it was made to.
func toyMain() int {
	dir := os.Getenv(dirEnv)
	stop, err := time.ParseDuration(os.Getenv(stopEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, "toy:", err)
		return 1
	}
	terminated, elected := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	signal.Notify(elected, syscall.SIGUSR1)
	var endpoint net.Listener
	if os.Getenv(endpointEnv) != "" {
		_ = os.Remove(filepath.Join(dir, socket))
		if endpoint, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
			fmt.Fprintln(os.Stderr, "toy:", err)
			return 1
		}
	}
	if os.Getenv(leavesEnv) != "" {
		worker := exec.Command(os.Args[0])
		worker.Env = append(os.Environ(), toyEnv+"=worker")
		worker.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := worker.Start(); err != nil {
			fmt.Fprintln(os.Stderr, "toy:", err)
			return 1
		}
		for _, err := os.Stat(filepath.Join(dir, "worker")); err != nil; _, err = os.Stat(filepath.Join(dir, "worker")) {
			time.Sleep(tick)
		}
	}
	path := filepath.Join(dir, pidFile)
	if os.WriteFile(path+".new", []byte(strconv.Itoa(os.Getpid())), 0o600) == nil {
		_ = os.Rename(path+".new", path)
	}
	if os.Getenv(followEnv) == "file" {
		return follow(filepath.Join(dir, signalDir), stop, terminated)
	}
	s := beginWork()
	for {
		s.work()
		select {
		case <-terminated:
			if endpoint != nil {
				_ = endpoint.Close()
			}
			s.workOn(stop)
			s.end()
			return 0
		case <-time.After(tick):
		}
	}
}

// follow works while the directory says so, and after it says otherwise for as long as it takes to stop.
func follow(dir string, stop time.Duration, terminated <-chan os.Signal) int {
	for {
		if l, err := leadership.Read(dir); err == nil && l.IsLeader {
			s := beginWork()
			for err == nil && l.IsLeader {
				s.work()
				time.Sleep(tick)
				l, err = leadership.Read(dir)
			}
			s.workOn(stop)
			s.end()
		}
		select {
		case <-terminated:
			return 0
		case <-time.After(tick):
		}
	}
}

// workerMain works until some time after the end of the process that started it, whatever it is told.
func workerMain() int {
	signal.Ignore(syscall.SIGTERM)
	parent := os.Getppid()
	s := beginWork()
	_ = os.WriteFile(filepath.Join(os.Getenv(dirEnv), "worker"), fmt.Appendln(nil, os.Getpid()), 0o600)
	for os.Getppid() == parent {
		s.work()
		time.Sleep(tick)
	}
	leaves, _ := time.ParseDuration(os.Getenv(leavesEnv))
	s.workOn(leaves)
	s.end()
	return 0
}
