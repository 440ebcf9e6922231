package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pod is a replica in two processes: a sidecar, and a python3 program that it finds by name.
type pod struct {
	t       *testing.T
	name    string // of the program
	body    string
	sidecar *running
	app     *running
}

// running is a process with all that it prints.
type running struct {
	*exec.Cmd
	over chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(b)
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{Cmd: cmd, over: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.over)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = r.Process.Kill()
		<-r.over
	})
	return r
}

// ended reports whether the process is gone.
func (r *running) ended() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// parked reports whether the process is stopped by a signal.
func (r *running) parked() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.Process.Pid))
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return err == nil && bytes.HasPrefix(after, []byte("T"))
}

// newPod starts the program, then the sidecar with the flags. Both end with the test.
func newPod(t *testing.T, store, name, body string, flags ...string) *pod {
	t.Helper()
	p := &pod{t: t, name: fmt.Sprintf("pod%d-%s", os.Getpid(), name), body: body}
	p.startApp()
	args := append([]string{
		"run", "--store", "dir:" + store, "--workload", "deployment/web", "--identity", name, "--lease-duration", "3s",
		"--http-address", "unix:" + p.socket(store), "--probe-address", "off", "--process-name", p.name, "--log-format", "text",
	}, flags...)
	p.sidecar = start(t, exec.Command(binary, args...))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s's sidecar:\n%s", name, p.sidecar.text())
		}
	})
	return p
}

func (p *pod) socket(store string) string { return filepath.Join(filepath.Dir(store), p.name) }

// startApp starts the program, again where it has ended. It prints what it catches. A signal that comes just before a
// sleep is handled after it, so the sleeps are short.
func (p *pod) startApp() {
	p.t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-c", "import os, signal, sys, time\n"+
		"def say(s): os.write(1, (s + '\\n').encode())\n"+
		"def on(n): signal.signal(n, lambda n, _: say(signal.Signals(n).name))\n"+
		p.body+"\nsay('ready')\nwhile True: time.sleep(0.02)\n")
	cmd.Args[0] = p.name
	p.app = start(p.t, cmd)
	within(p.t, 10*time.Second, p.name+" runs", func() bool { return strings.Contains(p.app.text(), "ready") })
}

// startAppOnceLeading is for a program that runs on the leader alone: the one that stands by is ended.
func (p *pod) startAppOnceLeading() {
	p.t.Helper()
	within(p.t, 15*time.Second, p.name+" leads, without a program", func() bool {
		return p.app.ended() && strings.Contains(p.sidecar.text(), "leading, and there is no process")
	})
	p.startApp()
	p.hears("SIGUSR1")
}

// hears waits until the program has printed a text.
func (p *pod) hears(text string) {
	p.t.Helper()
	within(p.t, 15*time.Second, p.name+" hears "+text, func() bool { return strings.Contains(p.app.text(), text) })
}

func (p *pod) stepDown(store string) {
	p.t.Helper()
	out, err := exec.Command(binary, "step-down", "--http-address", "unix:"+p.socket(store)).CombinedOutput()
	if err != nil {
		p.t.Fatalf("step down: %v: %s", err, out)
	}
}

func signal(t *testing.T, r *running, s syscall.Signal) {
	t.Helper()
	if err := r.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// within waits until something is so.
func within(t *testing.T, d time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within %s: %s", d, what)
}

// newStore returns a place for the Lease.
func newStore(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ps") // short, as a socket's path must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "store")
}
