package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// `timeout`, npm and supervisors send one stop as two signals: the command keeps its grace. Another signal later does not.
func TestOneStopAsTwoSignals(t *testing.T) {
	const slow = `trap 'sleep 1.5; echo stopped >$DIR/end; exit 0' TERM; echo $$ >$DIR/pid; while :; do sleep 0.02; done`
	for name, tc := range map[string]struct {
		signals []syscall.Signal
		gap     time.Duration
	}{
		"TERM twice":    {[]syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, 20 * time.Millisecond},
		"TERM and INT":  {[]syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, 0},
		"INT, TERM, …":  {[]syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGTERM}, 200 * time.Millisecond},
		"TERM, no more": {[]syscall.Signal{syscall.SIGTERM}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := launch(t, nil, nil, "", "--lease-duration", "6s", "--", "sh", "-c", slow)
			soon(t, 30*time.Second, "the command runs", func() bool { _, err := os.Stat(filepath.Join(r.dir, "pid")); return err == nil })
			for _, s := range tc.signals {
				r.send(s)
				time.Sleep(tc.gap)
			}
			r.endsWell()
			if end, _ := os.ReadFile(filepath.Join(r.dir, "end")); string(end) != "stopped\n" {
				t.Errorf("the command was not given its time: %q", end)
			}
		})
	}
}

// A terminal that closes, and Ctrl-\, end `run` in good order.
func TestHangupAndQuitHandOver(t *testing.T) {
	for name, signals := range map[string][]syscall.Signal{
		"HUP": {syscall.SIGHUP}, "QUIT": {syscall.SIGQUIT}, "HUP and TERM": {syscall.SIGHUP, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := launch(t, nil, nil, "")
			r.leads()
			for _, s := range signals {
				r.send(s)
			}
			r.endsWell()
		})
	}
}

// What was ignored at the start stays so: under nohup, and in the background of a shell.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	for name, tc := range map[string]struct {
		before []string
		signal syscall.Signal
	}{
		"nohup":      {[]string{"nohup"}, syscall.SIGHUP},
		"background": {[]string{"sh", "-c", `trap '' INT QUIT; exec "$@"`, "sh"}, syscall.SIGQUIT},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := launch(t, tc.before, nil, "")
			token := r.leads()
			r.send(tc.signal)
			r.leadsOn(token)
			r.send(syscall.SIGTERM)
			r.endsWell()
		})
	}
}

// The command's dispositions are what the sidecar was given, whatever the sidecar and its guard have set for themselves.
func TestDispositionsOfTheCommand(t *testing.T) {
	watched := []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGUSR1}
	for name, tc := range map[string]struct {
		before []string
		want   []syscall.Signal
	}{
		"plain":      {nil, nil},
		"nohup":      {[]string{"nohup"}, []syscall.Signal{syscall.SIGHUP}},
		"background": {[]string{"sh", "-c", `trap '' INT QUIT; exec "$@"`, "sh"}, []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := launch(t, tc.before, nil, "", "--", "sleep", "1000")
			token := r.leads()
			pid := commandOf(t, r.cmd.Process.Pid, "sleep")
			signals, err := procfs.ReadSignals(pid)
			if err != nil {
				t.Fatal(err)
			}
			var got []syscall.Signal
			for _, s := range watched {
				if signals.Ignored.Has(s) {
					got = append(got, s)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("the command ignores %v; want %v", got, tc.want)
			}
			if tc.want != nil {
				r.send(tc.want[len(tc.want)-1])
				r.leadsOn(token)
				if !living(pid) {
					t.Error("the command has ended")
				}
			}
			r.send(syscall.SIGTERM)
			r.endsWell()
		})
	}
}

// commandOf waits for a descendant of that name, and returns its pid.
func commandOf(t *testing.T, root int, name string) (pid int) {
	t.Helper()
	soon(t, 20*time.Second, name+" runs", func() bool {
		family := below(t, root)
		i := slices.IndexFunc(family, func(p procfs.Process) bool { return p.Comm == name })
		if i >= 0 {
			pid = family[i].PID
		}
		return i >= 0
	})
	return pid
}
