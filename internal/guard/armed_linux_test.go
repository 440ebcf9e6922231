package guard

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// victim starts a process that is not the guard's own.
func victim(t *testing.T, script string) (cmd *exec.Cmd, o procfs.Order) {
	t.Helper()
	cmd = exec.Command("sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := procfs.ReadProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, procfs.Order{ID: p.ID, Signal: syscall.SIGTERM, Deadline: now().Add(time.Minute)}
}

// arm has the guard keep the deadline.
func (g *guarded) arm(o procfs.Order) {
	g.t.Helper()
	if err := g.Arm(o); err != nil {
		g.t.Fatal(err)
	}
}

func endOf(t *testing.T, cmd *exec.Cmd) syscall.Signal {
	t.Helper()
	err := cmd.Wait()
	var status *exec.ExitError
	if !errors.As(err, &status) {
		t.Fatalf("got %v; want it signalled", err)
	}
	return status.Sys().(syscall.WaitStatus).Signal()
}

func TestArmed(t *testing.T) {
	t.Run("fires at the deadline, and kills later", func(t *testing.T) {
		g := guardCommand(t)
		dir := t.TempDir()
		cmd, o := victim(t, `trap 'echo 1 >`+dir+`/term' TERM; echo 1 >`+dir+`/ready; while :; do sleep 0.02; done`)
		guardtest.Within(t, "it is ready", func() bool { _, err := os.Stat(dir + "/ready"); return err == nil })
		o.Deadline = now().Add(300 * time.Millisecond)
		o.Kill = o.Deadline.Add(300 * time.Millisecond)
		g.arm(o)
		if got := endOf(t, cmd); got != syscall.SIGKILL || now().Before(o.Kill) {
			t.Errorf("got %s %s after the kill deadline", got, now().Sub(o.Kill))
		}
		if _, err := os.Stat(dir + "/term"); err != nil {
			t.Errorf("it got no SIGTERM before: %v", err)
		}
	})
	t.Run("moved, then taken away", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		o.Deadline = now().Add(200 * time.Millisecond)
		g.arm(o)
		o.Deadline = now().Add(time.Minute)
		g.arm(o)
		time.Sleep(500 * time.Millisecond)
		if !guardtest.Lives(cmd.Process.Pid) {
			t.Error("a moved deadline fired")
		}
		o.Deadline = now().Add(200 * time.Millisecond)
		g.arm(o)
		if err := g.Disarm(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if !guardtest.Lives(cmd.Process.Pid) {
			t.Error("a deadline fired that was taken away")
		}
	})
	t.Run("fires when the sidecar dies", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		g.arm(o)
		g.orders.Close()
		if got := endOf(t, cmd); got != syscall.SIGTERM {
			t.Errorf("got %s", got)
		}
		<-g.Done()
	})
	t.Run("leaves it alone when closed in good order", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		g.arm(o)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if !guardtest.Lives(cmd.Process.Pid) {
			t.Error("it was signalled")
		}
	})
	t.Run("spares who got the number later", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		o.Deadline, o.Start = now(), o.Start+1
		g.arm(o)
		time.Sleep(300 * time.Millisecond)
		if !guardtest.Lives(cmd.Process.Pid) {
			t.Error("it was signalled")
		}
	})
}

// family starts a process of somebody else with a worker in a session of its own; the process ends at SIGTERM, the worker does not.
func family(t *testing.T) (master *exec.Cmd, worker int, o procfs.Order) {
	t.Helper()
	dir := t.TempDir()
	master, o = victim(t, `setsid sh -c 'trap "" TERM; echo $$ >`+dir+`/worker; while :; do sleep 0.02; done' &
trap 'exit 0' TERM; while :; do sleep 0.02; done`)
	worker = guardtest.PID(t, filepath.Join(dir, "worker"))
	t.Cleanup(func() { _ = syscall.Kill(worker, syscall.SIGKILL) })
	return master, worker, o
}

// The fence is for all that the process has started, though it ends at its signal and leaves them to nobody.
func TestArmedKillsTheFamily(t *testing.T) {
	t.Run("found by the guard", func(t *testing.T) {
		g := guardCommand(t)
		master, worker, o := family(t)
		o.Deadline = now().Add(200 * time.Millisecond)
		o.Kill = o.Deadline.Add(500 * time.Millisecond)
		g.arm(o)
		_ = master.Wait()
		if !guardtest.Lives(worker) || !now().Before(o.Kill) {
			t.Fatalf("the worker lives: %t", guardtest.Lives(worker))
		}
		guardtest.Within(t, "the worker is killed", func() bool { return !guardtest.Lives(worker) })
		if now().Before(o.Kill) {
			t.Error("killed before its time")
		}
	})
	t.Run("named by the sidecar", func(t *testing.T) {
		g := guardCommand(t)
		master, worker, o := family(t)
		p, err := procfs.ReadProcess(worker)
		if err != nil {
			t.Fatal(err)
		}
		_ = master.Process.Kill()
		_ = master.Wait()
		o.Deadline = now().Add(200 * time.Millisecond)
		o.Kill, o.Kin = o.Deadline, []procfs.ID{p.ID}
		g.arm(o)
		guardtest.Within(t, "the worker is killed", func() bool { return !guardtest.Lives(worker) })
	})
	t.Run("the sidecar dies", func(t *testing.T) {
		g := guardCommand(t)
		_, worker, o := family(t)
		o.Kill = now().Add(700 * time.Millisecond)
		g.arm(o)
		g.orders.Close()
		guardtest.Within(t, "the worker is killed", func() bool { return !guardtest.Lives(worker) })
		if now().Before(o.Kill) {
			t.Error("killed before its time")
		}
		<-g.Done()
	})
}

// signalLog runs a python3 program that writes 1 at SIGUSR1 and 2 at SIGUSR2; waiting together, 1 comes first.
func signalLog(t *testing.T) (*exec.Cmd, chan string, procfs.Order) {
	t.Helper()
	cmd := exec.Command("python3", "-c", `import os, signal, time
for n, s in (b"1\n", signal.SIGUSR1), (b"2\n", signal.SIGUSR2): signal.signal(s, lambda *_, n=n: os.write(1, n))
os.write(1, b"ready\n")
while True: time.sleep(0.02)`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	handled, over := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			handled <- lines.Text()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-over; _ = cmd.Wait() })
	wants(t, handled, "ready")
	p, err := procfs.ReadProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, handled, procfs.Order{
		ID: p.ID, Gain: syscall.SIGUSR2, Signal: syscall.SIGUSR1, Deadline: now().Add(time.Minute),
	}
}

func wants(t *testing.T, handled chan string, want string) {
	t.Helper()
	select {
	case got := <-handled:
		if got != want {
			t.Fatalf("handled %q; want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("not handled in 10 s: %q", want)
	}
}

// A process that is frozen across its gain and the guard's loss ends up as a standby, though it handles the gain after
// the loss: with a frozen sidecar, and with one that has died.
func TestArmedLossComesLast(t *testing.T) {
	for name, dies := range map[string]bool{"sidecar frozen": false, "sidecar killed": true} {
		t.Run(name, func(t *testing.T) {
			g := guardCommand(t)
			cmd, handled, o := signalLog(t)
			signal := func(s syscall.Signal) {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			signal(syscall.SIGSTOP)
			guardtest.Within(t, "it is frozen", func() bool { p, err := procfs.ReadProcess(o.PID); return err == nil && p.State == 'T' })
			signal(o.Gain)
			if !dies {
				o.Deadline = now()
			}
			g.arm(o)
			if dies {
				g.orders.Close()
			}
			guardtest.Within(t, "the loss is sent", func() bool { return pending(o.PID, o.Signal) })
			signal(syscall.SIGCONT)
			wants(t, handled, "1")
			wants(t, handled, "2")
			wants(t, handled, "1")
			if dies {
				<-g.Done()
			}
		})
	}
}

// A process that takes its signals gets the loss once.
func TestArmedLossIsSentOnce(t *testing.T) {
	g := guardCommand(t)
	_, handled, o := signalLog(t)
	o.Deadline = now()
	g.arm(o)
	wants(t, handled, "1")
	select {
	case again := <-handled:
		t.Errorf("handled %s after that", again)
	case <-time.After(300 * time.Millisecond):
	}
}

func TestPending(t *testing.T) {
	if pending(os.Getpid(), 0) {
		t.Error("no signal waits")
	}
	if pending(1<<30, syscall.SIGUSR1) {
		t.Error("a signal waits for nobody")
	}
}
