package main

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// replica is `run` in a process of its own. $DIR is its directory, with the signal directory and the HTTP socket in it. The lease
// duration is 3 s, so that validUntil is 2 s after a renewal and the kill margin 0.6 s.
type replica struct {
	t     *testing.T
	dir   string
	store string
	cmd   *exec.Cmd
	log   bytes.Buffer
	done  chan struct{}
}

func (r *replica) signalDir() string { return filepath.Join(r.dir, "signal") }

// raise starts a replica with a script as its command. The store names the election.
func raise(t *testing.T, store, script string, flags ...string) *replica {
	t.Helper()
	return launch(t, nil, nil, store, append(flags, "--", "sh", "-c", script)...)
}

// launch starts a replica by the program before it (nohup), on a store of its own where store is "". Nil stderr: its log is printed
// where the test fails.
func launch(t *testing.T, before []string, stderr io.Writer, store string, after ...string) *replica {
	t.Helper()
	r := &replica{t: t, dir: t.TempDir(), store: cmp.Or(store, filepath.Join(t.TempDir(), "store")), done: make(chan struct{})}
	if err := os.Mkdir(r.signalDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(before, []string{
		"lease-sidecar", "run", "--store", "dir:" + r.store, "--workload", "deployment/web", "--lease-duration", "3s",
		"--signal-dir", r.signalDir(), "--http-address", "unix:" + filepath.Join(r.dir, "http"), "--probe-address", "off",
	}, after)
	// What a shell in the background may have ignored is caught here, and so not inherited.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	t.Cleanup(func() { signal.Stop(caught) })
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Env = append(os.Environ(), "DIR="+r.dir)
	r.cmd.Stderr = stderr
	if stderr == nil {
		r.cmd.Stderr = &r.log
	}
	r.cmd.WaitDelay = 10 * time.Second
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(r.done); _ = r.cmd.Wait() }()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
		if t.Failed() {
			t.Logf("log of %s:\n%s", r.dir, r.log.String())
		}
	})
	return r
}

func (r *replica) send(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// status waits for the sidecar's end.
func (r *replica) status() int {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		r.t.Fatal("it did not end")
	}
	return r.cmd.ProcessState.ExitCode()
}

// runs waits until the script runs, and returns its pid.
func (r *replica) runs() int {
	r.t.Helper()
	r.leads() // the command may start before the files say so
	return r.pid("main-*")
}

func (r *replica) pid(pattern string) (pid int) {
	r.t.Helper()
	soon(r.t, 30*time.Second, "the script writes "+pattern, func() bool {
		found, _ := filepath.Glob(filepath.Join(r.dir, pattern))
		if len(found) == 0 {
			return false
		}
		b, err := os.ReadFile(found[len(found)-1])
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

// validUntil returns the end of the term as it is published now.
func (r *replica) validUntil() bootclock.Instant {
	r.t.Helper()
	l, err := leadership.Read(r.signalDir())
	if err != nil || !l.IsLeader {
		r.t.Fatalf("it does not lead: %+v, %v", l, err)
	}
	return l.ValidUntil
}

func soon(t *testing.T, d time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within %s: %s", d, what)
}

// leads waits until the replica leads, and returns the token.
func (r *replica) leads() (token string) {
	r.t.Helper()
	soon(r.t, 30*time.Second, "it leads", func() bool {
		l, err := leadership.Read(r.signalDir())
		token = l.Token
		return err == nil && l.IsLeader
	})
	return token
}

// leadsOn waits until the term has been renewed twice, and checks that it is still that one.
func (r *replica) leadsOn(token string) {
	r.t.Helper()
	before, err := leadership.Read(r.signalDir())
	if err != nil {
		r.t.Fatal(err)
	}
	soon(r.t, 20*time.Second, "it renews twice, and does not end", func() bool {
		l, err := leadership.Read(r.signalDir())
		if err == nil && l.IsLeader && l.Token != token {
			r.t.Fatalf("another term, %s", l.Token)
		}
		return err == nil && l.IsLeader && l.ValidUntil.Sub(before.ValidUntil) > 1500*time.Millisecond
	})
}

// endsWell waits for its end, which is to be status 0 with the Lease released.
func (r *replica) endsWell() {
	r.t.Helper()
	if status := r.status(); status != exitWell {
		r.t.Errorf("it ended with status %d; want %d", status, exitWell)
	}
	lease, err := os.ReadFile(filepath.Join(r.store, "default.lease-sidecar-752b7817f6.json"))
	if err != nil || !strings.Contains(strings.ReplaceAll(string(lease), " ", ""), `"holderIdentity":""`) {
		r.t.Errorf("the Lease is not released: %s, %v", lease, err)
	}
}
