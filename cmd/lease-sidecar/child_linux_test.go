package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
)

// Scripts that a sidecar runs. Each writes its pid to $DIR/main-TOKEN once it is ready.
const (
	obedient = `trap 'echo stopped >>$DIR/log; exit 0' TERM; echo $$ >$DIR/main-$LEADERSHIP_TOKEN; while :; do sleep 0.02; done`
	stubborn = `trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.02; done' &
while ! [ -s $DIR/daemon ]; do sleep 0.02; done; echo $$ >$DIR/main-$LEADERSHIP_TOKEN; while :; do sleep 0.02; done`
)

// living reports whether a process runs: a zombie does not.
func living(pid int) bool {
	p, err := procfs.ReadProcess(pid)
	return err == nil && !p.Over()
}

func boot() bootclock.Instant { return bootclock.System{}.Now() }

const killMargin = 600 * time.Millisecond // at 3 s of lease duration

// A child that heeds no SIGTERM is killed, with its daemon, before anyone may take the Lease; the next leader's child
// starts later. The sidecar is frozen, hence of no help.
func TestStubbornChildIsGoneBeforeTheLeaseExpires(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	p := raise(t, store, stubborn, "--identity", "a")
	main, daemon := p.runs(), p.pid("daemon")
	next := raise(t, store, obedient, "--identity", "b")
	p.send(syscall.SIGSTOP)
	until := p.validUntil()
	soon(t, 20*time.Second, "the child and its daemon are gone", func() bool { return !living(main) && !living(daemon) })
	late := boot().Sub(until)
	if late < killMargin/2-10*time.Millisecond || late >= killMargin {
		t.Errorf("gone %s after validUntil; want from %s to %s", late, killMargin/2, killMargin)
	}
	t.Logf("gone %s after validUntil; the Lease expires %s after it", late, time.Second)
	if found, _ := filepath.Glob(filepath.Join(next.dir, "main-*")); len(found) > 0 {
		t.Error("the next leader's child runs already")
	}
	next.runs()
}

// As pid 1, with a child whose orphans end: no zombie stays, not even one that comes to the sidecar itself.
func TestNoZombiesAsPid1(t *testing.T) {
	t.Parallel()
	p := launch(t, []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}, nil, "", "--", "sh", "-c",
		`for i in 1 2 3 4 5; do sh -c 'sleep 0.05 & exec sleep 0' & done; wait; sleep 0.3
trap 'exit 0' TERM; echo $$ >$DIR/main-$LEADERSHIP_TOKEN; while :; do sleep 0.02; done`)
	p.runs()
	init := below(t, p.cmd.Process.Pid)[1].PID // as the child of unshare
	// A process that somebody put into the container, whose parent ends first.
	enter := exec.Command("nsenter", "-t", strconv.Itoa(init), "-p", "-m", "setsid", "sh", "-c", "sleep 0.1 >/dev/null 2>&1 & exit 0")
	if out, err := enter.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	time.Sleep(200 * time.Millisecond)
	soon(t, 10*time.Second, "no zombies", func() bool {
		family, children := below(t, init), 0
		for _, one := range family {
			if one.Parent == init {
				children++
			}
		}
		return children == 1 && !slices.ContainsFunc(family, procfs.Process.Over) // the guard
	})
	if err := syscall.Kill(init, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.status(); status != exitWell {
		t.Errorf("got status %d", status)
	}
}

// below returns a process and all its descendants.
func below(t *testing.T, root int) []procfs.Process {
	t.Helper()
	all, err := procfs.Read()
	if err != nil {
		t.Fatal(err)
	}
	return all.Family(root)
}

// releasedStore returns a store whose Lease the last holder has released: a candidate takes it at once, however long its lease
// duration is. With a long one a busy machine does not end a term.
func releasedStore(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	store, err := dir.New(path, "default", "lease-sidecar-752b7817f6", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	released := time.Now()
	_, err = store.Create(t.Context(), lease.Record{
		DurationSeconds: 1, AcquireTime: released, RenewTime: released, Transitions: 1, Mark: lease.ReleasedMark(released),
		Workload: "deployment/web",
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The sidecar ends as its child does, when asked to; the Lease is released before.
func TestExitWithTheChild(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 137} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			p := raise(t, releasedStore(t), script, "--on-child-exit", "exit", "--lease-duration", "60s")
			if got := p.status(); got != want {
				t.Errorf("got status %d; want %d", got, want)
			}
			if !strings.Contains(p.log.String(), `"reason":"Released"`) {
				t.Error("the Lease was not released")
			}
		})
	}
	t.Run("asked to end", func(t *testing.T) {
		t.Parallel()
		p := raise(t, releasedStore(t), `echo $$ >$DIR/main-1; exec sleep 100`, "--on-child-exit", "exit", "--lease-duration", "60s")
		p.runs()
		p.send(syscall.SIGTERM)
		if got := p.status(); got != 143 {
			t.Errorf("got status %d; want the child's, 143", got)
		}
	})
}

// A child that ends at once gives leadership up at once, and does not make the election spin.
func TestCrashingChildStandsBack(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	p := raise(t, store, `echo start >>$DIR/log; sleep 0.5; exit 3`, "--identity", "a")
	soon(t, 30*time.Second, "it crashes", func() bool { _, err := os.Stat(filepath.Join(p.dir, "log")); return err == nil })
	began := time.Now()
	next := raise(t, store, obedient, "--identity", "b")
	next.runs()
	if d := time.Since(began); d > 2500*time.Millisecond {
		t.Errorf("the next one led %s after the start of the crashing child", d)
	}
	time.Sleep(3 * time.Second)
	if log, err := os.ReadFile(filepath.Join(p.dir, "log")); err != nil || string(log) != "start\n" {
		t.Errorf("got %q, %v", log, err)
	}
	next.send(syscall.SIGTERM)
	next.status()
	soon(t, 30*time.Second, "it tries again, when nobody else leads", func() bool {
		log, err := os.ReadFile(filepath.Join(p.dir, "log"))
		return err == nil && string(log) == "start\nstart\n"
	})
}

// Process signals reach the child's group, and the child knows its term.
func TestChildHearsAndKnows(t *testing.T) {
	t.Parallel()
	p := raise(t, "", `for s in HUP USR1 USR2 WINCH; do trap "echo $s >>\$DIR/heard" $s; done
env >$DIR/env; echo $$ >$DIR/main-$LEADERSHIP_TOKEN; while :; do sleep 0.02; done`)
	pid := p.runs()
	for i, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH} {
		p.send(s)
		soon(t, 5*time.Second, "the child hears "+s.String(), func() bool {
			heard, _ := os.ReadFile(filepath.Join(p.dir, "heard"))
			return bytes.Count(heard, []byte("\n")) == i+1
		})
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("it is in group %d, not its own: %v", group, err)
	}
	l, err := leadership.Read(p.signalDir())
	if err != nil {
		t.Fatal(err)
	}
	environment, err := os.ReadFile(filepath.Join(p.dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"LEADERSHIP_TOKEN=" + l.Token, "LEADERSHIP_IDENTITY=" + l.Identity, "LEADERSHIP_LEASE=" + l.Lease,
		fmt.Sprintf("LEADERSHIP_TRANSITIONS=%d", l.Transitions), "LEADERSHIP_BOOT_ID=" + l.BootID, "DIR=" + p.dir,
	} {
		if !slices.Contains(strings.Split(string(environment), "\n"), want) {
			t.Errorf("no %s in\n%s", want, environment)
		}
	}
}

// A second signal, when it is another stop, does not wait for a stubborn child.
func TestSecondStopKillsTheChild(t *testing.T) {
	t.Parallel()
	p := raise(t, releasedStore(t), stubborn, "--lease-duration", "600s", "--stop-timeout", "600s")
	main, daemon := p.runs(), p.pid("daemon")
	p.send(syscall.SIGTERM)
	soon(t, 10*time.Second, "it waits", func() bool {
		l, err := leadership.Read(p.signalDir())
		return err == nil && !l.IsLeader
	})
	if !living(main) || !living(daemon) {
		t.Error("it was killed at once")
	}
	time.Sleep(1200 * time.Millisecond) // what comes sooner is the same stop
	p.send(syscall.SIGTERM)
	p.status()
	if living(main) || living(daemon) {
		t.Error("it outlived the sidecar")
	}
}
