package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// A demo that is ended early, in a terminal, leaves no files and no process behind, and gives the terminal back.
func TestDemoEndedEarly(t *testing.T) {
	for name, tc := range map[string]struct {
		end func(terminal *os.File, demo *os.Process) error
		say string
	}{
		"Ctrl-C":                 {func(terminal *os.File, _ *os.Process) error { _, err := terminal.WriteString("\x03"); return err }, "interrupt"},
		"SIGTERM":                {func(_ *os.File, demo *os.Process) error { return demo.Signal(syscall.SIGTERM) }, "terminated"},
		"the terminal is closed": {func(terminal *os.File, _ *os.Process) error { return terminal.Close() }, "hangup"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temporary := t.TempDir()
			master, tty := openTerminal(t, 60, 14)
			var faults bytes.Buffer
			c := exec.Command("lease-sidecar", "demo")
			c.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=xterm", "TMPDIR=" + temporary}
			c.Stdin, c.Stdout, c.Stderr = tty, tty, &faults
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Process.Kill() })
			_ = tty.Close() // the demo has it
			screen, shown := vt10x.New(vt10x.WithSize(60, 14)), make(chan struct{})
			go func() {
				defer close(shown)
				output, err := bufio.NewReader(master), error(nil)
				for err == nil { // an error: the demo has ended
					err = screen.Parse(output)
				}
			}()
			shows := func(text string) bool { return strings.Contains(screen.String(), text) }

			var all []procfs.Process
			soon(t, 20*time.Second, "three sidecars and three toys run, and the screen shows so", func() bool {
				all, _ = procfs.Descendants(c.Process.Pid)
				return len(all) == 6 && shows("lease-sidecar demo") && shows("─ standby")
			})
			if err := tc.end(master, c.Process); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); c.ProcessState.ExitCode() != 1 || !strings.Contains(faults.String(), tc.say) {
				t.Errorf("it ended with %v and %q; want exit code 1, and %q", err, faults.String(), tc.say)
			}
			<-shown
			if ended := "two led at once for 0 ms"; tc.say != "hangup" && (!shows(ended) || !screen.CursorVisible()) {
				t.Errorf("no cursor, or no %q on\n%s", ended, screen.String())
			}
			if entries, err := os.ReadDir(temporary); err != nil || len(entries) > 0 {
				t.Errorf("it leaves %v, %v", entries, err)
			}
			if slices.ContainsFunc(all, func(p procfs.Process) bool { _, alive := p.Alive(); return alive }) {
				t.Errorf("some of %v live", all)
			}
		})
	}
}

// A live picture is for a terminal that can move its cursor; a terminal that does not know its size has the usual one.
func TestSizeOfTerminal(t *testing.T) {
	_, tty := openTerminal(t, 60, 14)
	_, unsized := openTerminal(t, 0, 0)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, tc := range map[string]struct {
		out  io.Writer
		term string
		want string
	}{
		"a terminal":         {tty, "xterm", "60x14"},
		"without a size":     {unsized, "xterm", "80x24"},
		"one that prints":    {tty, "dumb", ""},
		"one without a name": {tty, "", ""},
		"a file":             {null, "xterm", ""},
		"a buffer":           {&bytes.Buffer{}, "xterm", ""},
	} {
		t.Setenv("TERM", tc.term)
		got := ""
		if size := sizeOf(tc.out); size != nil {
			columns, rows := size()
			got = fmt.Sprintf("%dx%d", columns, rows)
		}
		if got != tc.want {
			t.Errorf("%s: got %q; want %q", name, got, tc.want)
		}
	}
}

// openTerminal returns both ends of a pseudo terminal.
func openTerminal(t *testing.T, columns, rows uint16) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatalf("open a pseudo terminal: %v", err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return master, tty
}
