package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// replica is `run` in a process of its own, whose standard error the test holds.
type replica struct {
	t     *testing.T
	dir   string
	store string
	cmd   *exec.Cmd
	done  chan struct{}
}

// startReplica starts `run` by the program before it (nohup), with errors to the given file. Renewals are logged.
func startReplica(t *testing.T, before []string, stderr *os.File, after ...string) *replica {
	t.Helper()
	r := &replica{t: t, dir: t.TempDir(), store: filepath.Join(t.TempDir(), "store"), done: make(chan struct{})}
	args := slices.Concat(before, []string{
		"lease-sidecar", "run", "--store", "dir:" + r.store, "--workload", "deployment/web", "--lease-duration", "3s",
		"--signal-dir", r.dir, "--http-address", "off", "--probe-address", "off", "--log-level", "debug",
	}, after)
	// What a shell in the background may have ignored is caught here, and so not inherited.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	t.Cleanup(func() { signal.Stop(caught) })
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Stderr = stderr
	r.cmd.Env = append(os.Environ(), "DIR="+r.dir)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(r.done); _ = r.cmd.Wait() }()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
	})
	return r
}

// leads waits until the replica leads, and returns the token.
func (r *replica) leads() (token string) {
	r.t.Helper()
	soon(r.t, 30*time.Second, "it leads", func() bool {
		l, err := leadership.Read(r.dir)
		token = l.Token
		return err == nil && l.IsLeader
	})
	return token
}

// leadsOn waits until the term has been renewed twice, and checks that it is still that one.
func (r *replica) leadsOn(token string) {
	r.t.Helper()
	before, err := leadership.Read(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	soon(r.t, 20*time.Second, "it renews twice, and does not end", func() bool {
		l, err := leadership.Read(r.dir)
		if err == nil && l.IsLeader && l.Token != token {
			r.t.Fatalf("another term, %s", l.Token)
		}
		return err == nil && l.IsLeader && l.ValidUntil.Sub(before.ValidUntil) > 1500*time.Millisecond
	})
}

// endsWell waits for its end, which is to be status 0 with the Lease released.
func (r *replica) endsWell() {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		r.t.Fatal("it did not end")
	}
	if !r.cmd.ProcessState.Success() {
		r.t.Errorf("it ended with %s; want status 0", r.cmd.ProcessState)
	}
	lease, err := os.ReadFile(filepath.Join(r.store, "default.lease-sidecar-752b7817f6.json"))
	if err != nil || !strings.Contains(strings.ReplaceAll(string(lease), " ", ""), `"holderIdentity":""`) {
		r.t.Errorf("the Lease is not released: %s, %v", lease, err)
	}
}

func (r *replica) send(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// work is a command that reports that it runs, and works until SIGTERM.
const work = `exec 2>/dev/null; trap 'echo stopped >$DIR/end; exit 0' TERM; echo $$ >$DIR/pid; while :; do sleep 0.02; done`

// Whoever reads the log dies: the next line must not end the sidecar, nor the command.
func TestTheReaderOfTheLogDies(t *testing.T) {
	for name, after := range map[string][]string{"alone": nil, "with a command": {"--", "sh", "-c", work}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r := startReplica(t, nil, write, after...)
			write.Close()
			drained := make(chan struct{})
			go func() { // until the test closes it
				defer close(drained)
				for b := make([]byte, 4096); err == nil; {
					_, err = read.Read(b)
				}
			}()
			token := r.leads()
			read.Close()
			<-drained
			r.leadsOn(token)
			r.send(syscall.SIGTERM)
			r.endsWell()
			if end, _ := os.ReadFile(filepath.Join(r.dir, "end")); after != nil && string(end) != "stopped\n" {
				t.Errorf("the command did not stop in its own time: %q", end)
			}
		})
	}
}

// A log that nobody reads is full in the end. The election, the signals and the end go on.
func TestAFullLogHoldsUpNothing(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if err := write.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = write.Write(make([]byte, 4096))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	conn, err := write.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var set error
	err = conn.Control(func(fd uintptr) { set = syscall.SetNonblock(int(fd), false) }) // as a shell's pipe is
	if err != nil || set != nil {
		t.Fatal(err, set)
	}
	r := startReplica(t, nil, write)
	r.leadsOn(r.leads())
	r.send(syscall.SIGTERM)
	r.endsWell()
}
