package guard

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

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
			within(t, 5*time.Second, "it is frozen", func() bool { p, err := procfs.ReadProcess(o.PID); return err == nil && p.State == 'T' })
			signal(o.Gain)
			if !dies {
				o.Deadline = now()
			}
			if err := g.Arm(o); err != nil {
				t.Fatal(err)
			}
			if dies {
				g.orders.Close()
			}
			within(t, 5*time.Second, "the loss is sent", func() bool { return pending(o.PID, o.Signal) })
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
	if err := g.Arm(o); err != nil {
		t.Fatal(err)
	}
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
