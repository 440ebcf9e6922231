package guard

import (
	"fmt"
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
)

// stop orders the stop of a term's program, which is killed in so long.
func (g *guarded) stop(token string, kill time.Duration) bootclock.Instant {
	g.t.Helper()
	at := now().Add(kill)
	if _, err := g.Stop(token, at); err != nil {
		g.t.Fatal(err)
	}
	return at
}

// In a planned stop the newest deadline counts, and the last one stands when no more orders come (I11).
func TestNewestStopMovesTheKillDeadline(t *testing.T) {
	g := guardShell(t, ignoresTerm)
	g.term("7", time.Minute, time.Minute)
	main, daemon := g.pid("main"), g.pid("daemon")
	g.stop("7", 400*time.Millisecond)
	g.stop("7", time.Hour)
	time.Sleep(800 * time.Millisecond)
	if !lives(main) || !lives(daemon) {
		t.Fatal("killed by a deadline that had been moved")
	}
	kill := g.stop("7", 400*time.Millisecond)
	g.gone()
	if late := now().Sub(kill); lives(main) || lives(daemon) || late < 0 || late > 2*time.Second {
		t.Errorf("main lives %t, daemon %t, gone %s after the last deadline", lives(main), lives(daemon), late)
	}
}

// The stop of a later term's program gives one that still lives no more time (I11).
func TestStopOfAnotherTermMovesNothing(t *testing.T) {
	g := guardShell(t, ignoresTerm)
	g.term("7", time.Minute, time.Minute)
	main := g.pid("main")
	kill := g.stop("7", 700*time.Millisecond)
	g.term("8", time.Minute, time.Minute)
	g.stop("8", time.Hour)
	g.gone()
	if late := now().Sub(kill); lives(main) || late > 2*time.Second {
		t.Errorf("lives %t, %s after its own term's deadline", lives(main), late)
	}
}

// What a program that ended by itself has left behind gets a second, also where a handover would last longer.
func TestLeftoversHaveTheirOwnDeadline(t *testing.T) {
	g := guardShell(t, `setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.02; done' &
while ! [ -s $DIR/daemon ]; do sleep 0.02; done; exit 3`)
	g.term("7", time.Minute, time.Minute)
	daemon := g.pid("daemon")
	g.await("the program has ended", func(r Report) bool { return r.Ended != nil })
	ended := now()
	g.stop("7", time.Hour)
	g.gone()
	if took := now().Sub(ended); lives(daemon) || took > 5*time.Second {
		t.Errorf("the daemon lives %t, %s after the program's end", lives(daemon), took)
	}
}

// family starts a process of somebody else with a worker in a session of its own; the process ends at SIGTERM, the worker does not.
func family(t *testing.T) (master *exec.Cmd, worker int, o procfs.Order) {
	t.Helper()
	dir := t.TempDir()
	master, o = victim(t, `setsid sh -c 'trap "" TERM; echo $$ >`+dir+`/worker; while :; do sleep 0.02; done' &
trap 'exit 0' TERM; while :; do sleep 0.02; done`)
	within(t, 5*time.Second, "the worker works", func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "worker"))
		worker, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return worker != 0
	})
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
		if err := g.Arm(o); err != nil {
			t.Fatal(err)
		}
		_ = master.Wait()
		if !lives(worker) || !now().Before(o.Kill) {
			t.Fatalf("the worker lives: %t", lives(worker))
		}
		within(t, 5*time.Second, "the worker is killed", func() bool { return !lives(worker) })
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
		if err := g.Arm(o); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "the worker is killed", func() bool { return !lives(worker) })
	})
	t.Run("the sidecar dies", func(t *testing.T) {
		g := guardCommand(t)
		_, worker, o := family(t)
		o.Kill = now().Add(700 * time.Millisecond)
		if err := g.Arm(o); err != nil {
			t.Fatal(err)
		}
		g.orders.Close()
		within(t, 5*time.Second, "the worker is killed", func() bool { return !lives(worker) })
		if now().Before(o.Kill) {
			t.Error("killed before its time")
		}
		<-g.Done()
	})
}

// wakeUps counts how often the process's threads have slept and woken.
func wakeUps(t *testing.T, pid int) (n int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal("no threads", err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
		line, _, _ := strings.Cut(rest, "\n")
		count, _ := strconv.Atoi(strings.TrimSpace(line))
		n += count
	}
	return n
}

// A guard whose deadline is far off sleeps.
func TestGuardSleepsUntilItsDeadline(t *testing.T) {
	running, armed, idle := guardShell(t, `echo $$ >$DIR/main; exec sleep 100`), guardCommand(t), guardCommand(t)
	running.term("7", time.Minute, time.Minute)
	running.pid("main")
	_, o := victim(t, `exec sleep 100`)
	if err := armed.Arm(o); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // the runtime comes to rest
	var before []int
	all := []*guarded{running, armed, idle}
	for _, g := range all {
		before = append(before, wakeUps(t, g.PID()))
	}
	const span = 3 * time.Second
	time.Sleep(span)
	for i, g := range all {
		// The Go runtime's own threads wake now and then; looking every 200 ms were 15 and more.
		if woke := wakeUps(t, g.PID()) - before[i]; woke > 8 {
			t.Errorf("guard %d woke %d times in %s", i, woke, span)
		}
	}
}

func TestEnvironmentOfATermReplaces(t *testing.T) {
	got := environment([]string{"A=1", "TOKEN=old", "B=2", "TOKEN"}, []string{"TOKEN=7", "DIR=/x"})
	if want := []string{"A=1", "B=2", "TOKEN=7", "DIR=/x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
