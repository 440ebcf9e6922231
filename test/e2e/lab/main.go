//go:build linux

package lab

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The environment variables by which the test binary tells itself, when it starts itself again, which process it is, and which
// folder the run has.
const (
	stageVariable  = "LEASE_SIDECAR_E2E_STAGE"
	folderVariable = "LEASE_SIDECAR_E2E_FOLDER"

	stageFirst = "first" // process 1 of the namespaces
	stageTests = "tests" // runs the tests
)

// Main runs the tests of a package inside namespaces of their own. TestMain calls it and exits with what it returns.
func Main(m *testing.M) int {
	flag.Parse()
	var code int
	var err error
	switch stage := os.Getenv(stageVariable); {
	case flag.Lookup("test.list").Value.String() != "":
		return m.Run()
	case stage == stageFirst:
		code, err = first()
	case stage == stageTests:
		code, err = tests(m)
	default:
		code, err = outside()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: test/e2e:", err)
		return 1
	}
	return code
}

// outside is what happens on the host: it builds what has to be built, starts the first process of the namespaces, waits for its
// end, and removes what is left of the run.
func outside() (int, error) {
	if os.Geteuid() != 0 {
		return 1, errors.New("these tests run nodes, with namespaces, mounts and control groups: run them as root (sudo make e2e)")
	}
	for _, build := range []func() (string, error){harness.ClusterBinaries, harness.NodeBinaries, harness.ContainerdBinaries, harness.RuncBinaries, harness.HelmBinaries} {
		if _, err := build(); err != nil {
			return 1, err
		}
	}
	if _, _, err := harness.ImagePrograms(); err != nil {
		return 1, err
	}
	if err := fetchModules(); err != nil { // the namespaces have no way out
		return 1, err
	}
	if err := sweep(); err != nil {
		return 1, err
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Who reads the output may be gone before the run is removed. Go ends a program that writes there, unless it asks for the signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	run, err := newRun()
	if err != nil {
		return 1, err
	}
	code, err := enter(run, interrupts)
	if code != 0 {
		run.keepLogs()
	}
	return code, errors.Join(err, run.remove())
}

// parentLook is how often a run looks whether "go test", which started it, is still there.
const parentLook = time.Second

// enter starts the first process of the namespaces and returns its status. That process is killed, and all others of the namespaces
// with it, when an interrupt comes or the parent of this process ends. It dies with this process, too.
func enter(r *run, interrupts <-chan os.Signal) (int, error) {
	runtime.LockOSThread() // the first process dies with the thread that started it
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stageVariable+"="+stageFirst, folderVariable+"="+r.dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // an interrupt of the terminal comes to this process alone
	}
	parent := os.Getppid()
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("enter namespaces of its own: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	kill := func(why string) (int, error) {
		_ = cmd.Process.Kill()
		<-ended
		return 1, fmt.Errorf("%s; all that it had started is gone", why)
	}
	look := time.NewTicker(parentLook)
	defer look.Stop()
	for {
		select {
		case <-ended:
			return cmd.ProcessState.ExitCode(), nil
		case s := <-interrupts:
			return kill(fmt.Sprintf("ended by the signal %q", s))
		case <-look.C:
			if os.Getppid() != parent {
				return kill("ended with the process that started it")
			}
		}
	}
}

// first is process 1 of the namespaces: it makes the mounts, runs the tests in a process of their own, and collects what others leave
// behind, until the tests end. At its own end the kernel kills everything else.
func first() (int, error) {
	if err := mountOwn(); err != nil {
		return 1, err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stageVariable+"="+stageTests)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("start the tests: %w", err)
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 1, fmt.Errorf("wait for the tests: %w", err)
		case pid == cmd.Process.Pid && status.Exited():
			return status.ExitStatus(), nil
		case pid == cmd.Process.Pid && status.Signaled():
			return 1, fmt.Errorf("the tests were killed: %v", status.Signal())
		}
	}
}

// mountOwn gives the namespace a /proc of its own, and empty folders where components and tools keep what belongs to a machine.
func mountOwn() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts from the host: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range []string{"/run", "/var/log"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	return nil
}

// tests runs the tests.
func tests(m *testing.M) (int, error) {
	defer func() {
		if shared.lab != nil {
			shared.lab.stop()
		}
	}()
	return m.Run(), nil
}
