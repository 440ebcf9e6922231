//go:build linux

package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Process signals that notify the program, that park it while its replica stands by, and that end it.
var (
	notify = []string{"--on-elected", "USR1", "--on-lost", "USR2"}
	park   = []string{"--on-elected", "CONT", "--on-lost", "STOP"}
	end    = []string{"--on-elected", "USR1", "--on-lost", "TERM"}
)

const (
	catchesBoth = "on(signal.SIGUSR1); on(signal.SIGUSR2)"
	standsBy    = "on(signal.SIGUSR1)" // it ends at SIGTERM
)

// script is a pod whose program is a Python script, which the sidecar finds by its name. It prints what it catches.
type script struct {
	*harness.Local
	t             *testing.T
	program, body string // the script's name, by which the sidecar finds it, and what it does at first
	app           *harness.Process
}

// startScript starts the script, then the sidecar with the flags. Both end with the test.
func startScript(t *testing.T, root, name, body string, flags ...string) *script {
	t.Helper()
	p := &script{t: t, program: "p" + strings.TrimPrefix(filepath.Base(root), "ls") + "-" + name, body: body} // of this test alone
	p.Local = harness.NewLocal(t, root, name, append([]string{"--lease-duration", "3s", "--process-name", p.program}, flags...)...)
	if err := os.Symlink("/usr/bin/python3", filepath.Join(p.Dir, p.program)); err != nil {
		t.Fatal(err)
	}
	p.startApp()
	p.Start()
	return p
}

// startApp starts the program, again where it has ended. A signal that comes just before a sleep is handled after it, so the
// sleeps are short.
func (p *script) startApp() {
	p.t.Helper()
	code := "import os, signal, sys, time\n" +
		"def say(s): os.write(1, (s + '\\n').encode())\n" +
		"def on(n): signal.signal(n, lambda n, _: say(signal.Signals(n).name))\n" +
		p.body + "\nsay('started')\nwhile True: time.sleep(0.02)\n"
	path := filepath.Join(p.Dir, p.program)
	p.app = harness.Launch(p.t, p.program, fmt.Sprintf("%s-%d.log", path, now()), path, []string{"-c", code}, os.Environ())
	p.catches("started")
}

// catches waits until the program has printed a text.
func (p *script) catches(text string) {
	p.t.Helper()
	harness.Eventually(p.t, patience, p.Name+" catches "+text, func() bool { return strings.Contains(p.app.Log(), text) })
}

// startAppOnceLeading is for a program that runs on the leader alone: the one that stands by is ended.
func (p *script) startAppOnceLeading() {
	p.t.Helper()
	<-p.app.Exited()
	p.AwaitLog("leading, and there is no process")
	p.startApp()
	p.catches("SIGUSR1")
}

// parked reports whether the program is stopped by a signal.
func (p *script) parked() bool { return harness.State(p.app.PID()) == 'T' }

func (p *script) awaitParked(want bool) {
	p.t.Helper()
	harness.Eventually(p.t, patience, fmt.Sprintf("%s is parked: %v", p.Name, want), func() bool { return p.parked() == want })
}

func send(t *testing.T, p *harness.Process, sig syscall.Signal) {
	t.Helper()
	if err := p.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// A handover on demand: the one is notified of its loss, then the other that it leads. The program is started anew in between, and
// notified again.
func TestNewsOfAHandover(t *testing.T) {
	t.Parallel()
	root := harness.LocalRoot(t)
	a := startScript(t, root, "a", catchesBoth, append(notify, "--drain-timeout", "1ms")...)
	a.catches("SIGUSR2")
	a.catches("SIGUSR1")
	b := startScript(t, root, "b", catchesBoth, notify...)
	b.catches("SIGUSR2")
	b.app.Stop(0)
	b.startApp()
	b.catches("SIGUSR2")
	a.StepDown()
	b.catches("SIGUSR1")
	if got := strings.Count(a.app.Log(), "SIGUSR2"); got != 2 {
		t.Errorf("the last leader was notified %d times that it does not lead; want twice", got)
	}
}

// The program's crash hands over at once: long before the Lease's end.
func TestCrashHandsOver(t *testing.T) {
	t.Parallel()
	root := harness.LocalRoot(t)
	long := append([]string{"--lease-duration", "15s"}, notify...)
	a := startScript(t, root, "a", catchesBoth, long...)
	a.catches("SIGUSR1")
	b := startScript(t, root, "b", catchesBoth, long...)
	b.catches("SIGUSR2")
	a.app.Stop(0)
	began := time.Now()
	b.catches("SIGUSR1")
	if took := time.Since(began); took > 8*time.Second { // a Lease that runs out does so 12 s after the crash at the earliest
		t.Errorf("%s from the crash to the next leader", took)
	}
	a.AwaitLog("reason=WorkloadEnded sight=process")
	a.AwaitLog("reason=Released")
}

// The guard acts for a killed sidecar: its workload is stopped at once.
func TestKilledSidecar(t *testing.T) {
	t.Parallel()
	a := startScript(t, harness.LocalRoot(t), "a", "", append([]string{"--lease-duration", "15s"}, park...)...)
	a.awaitParked(true)
	a.awaitParked(false)
	until := a.Leadership().ValidUntil
	a.Stop(0)
	a.awaitParked(true)
	if !now().Before(until) {
		t.Error("the workload of a killed sidecar is stopped after its term")
	}
}

// A frozen sidecar's workload is stopped by the guard before another replica leads.
func TestFrozenSidecar(t *testing.T) {
	t.Parallel()
	root := harness.LocalRoot(t)
	a := startScript(t, root, "a", "", park...)
	a.awaitParked(true)
	a.awaitParked(false)
	b := startScript(t, root, "b", "", park...)
	b.awaitParked(true)
	send(t, a.Process, syscall.SIGSTOP)
	b.awaitParked(false)
	if !a.parked() {
		t.Error("the next leader works while the frozen sidecar's workload does")
	}
	send(t, a.Process, syscall.SIGCONT)
	harness.Throughout(t, 500*time.Millisecond, "the sidecar that woke does not let its workload go on", func() bool { return a.parked() && !b.parked() })
}

// The Lease is released once the process has been seen to end, and not before; with classic placement, too, where nothing but a
// sight shows it.
func TestEndIsSeen(t *testing.T) {
	for _, placement := range []string{"native", "classic"} {
		t.Run(placement, func(t *testing.T) {
			t.Parallel()
			root := harness.LocalRoot(t)
			slow := "on(signal.SIGUSR1)\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), os._exit(0)))"
			a := startScript(t, root, "a", slow, append(end, "--placement", placement)...)
			a.startAppOnceLeading()
			b := startScript(t, root, "b", standsBy, end...)
			<-b.app.Exited()
			send(t, a.Process, syscall.SIGTERM)
			b.startAppOnceLeading()
			if a.app.Alive() {
				t.Error("the next leader works while the last one's process does")
			}
			<-a.Exited()
			if a.LogLine(`detail="it was seen to stop (process)`) == "" {
				t.Error("the handover did not wait for sight of the end")
			}
		})
	}
}

// A process that does not end is killed before another replica leads.
func TestFence(t *testing.T) {
	t.Parallel()
	root := harness.LocalRoot(t)
	deaf := "on(signal.SIGUSR1)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
	a := startScript(t, root, "a", deaf, append(end, "--fence", "kill", "--stop-timeout", "3s")...)
	a.app.Stop(0) // it does not end by itself while it stands by
	a.startAppOnceLeading()
	b := startScript(t, root, "b", standsBy, end...)
	<-b.app.Exited()
	a.StepDown()
	b.startAppOnceLeading()
	if a.app.Alive() {
		t.Error("the next leader works while the last one's process does")
	}
}

// blockStore has every read of the store wait until the returned function is called.
func blockStore(t *testing.T, root string) (release func()) {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(root, "store", ".*.lock"))
	if err != nil || len(locks) == 0 {
		t.Fatalf("no lock in the store: %v", err)
	}
	f, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// A sidecar that was killed is asked to hand over while it resumes: it never publishes that it leads. Its process lives on, notified
// of its loss, so nobody has seen the work stop: the Lease is kept until validUntil.
func TestStepDownWhileResuming(t *testing.T) {
	t.Parallel()
	root := harness.LocalRoot(t)
	a := startScript(t, root, "a", "on(signal.SIGUSR2)", "--on-lost", "USR2")
	a.Stop(0) // with a pod's UID it finds its own term again
	a.Env = []string{"POD_UID=0b1f0000-0000-4000-8000-000000000001"}
	a.Start()
	a.AwaitLog("msg=leading ")
	release := blockStore(t, root)
	a.Stop(0)
	a.LogPath = filepath.Join(a.Dir, "log-resuming")
	a.Start()
	// Until it listens, and has found the term to resume, it takes no order.
	harness.Eventually(t, patience, "a takes the order", func() bool { status, _ := a.Ask("POST", "/step-down"); return status == 202 })
	release()
	a.AwaitLog("the workload counts as stopped")
	if text := a.Log(); !strings.Contains(text, "it is resumed for that alone") || strings.Contains(text, "leading=true") || !strings.Contains(text, "leading=false") {
		t.Errorf("no handover of a term that is resumed for it alone:\n%s", text)
	}
	if a.LogLine(`detail="validUntil has passed"`) == "" || !a.app.Alive() {
		t.Errorf("released before validUntil, with the process alive: %v:\n%s", a.app.Alive(), a.Log())
	}
}
