package guard

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
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
	if !guardtest.Lives(main) || !guardtest.Lives(daemon) {
		t.Fatal("killed by a deadline that had been moved")
	}
	kill := g.stop("7", 400*time.Millisecond)
	g.gone()
	if late := now().Sub(kill); guardtest.Lives(main) || guardtest.Lives(daemon) || late < 0 || late > 2*time.Second {
		t.Errorf("main lives %t, daemon %t, gone %s after the last deadline", guardtest.Lives(main), guardtest.Lives(daemon), late)
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
	if late := now().Sub(kill); guardtest.Lives(main) || late > 2*time.Second {
		t.Errorf("lives %t, %s after its own term's deadline", guardtest.Lives(main), late)
	}
}

// What a program leaves behind gets SIGTERM, and is killed if it does not stop.
func TestLeftoversFollowTheProgram(t *testing.T) {
	g := guardShell(t, `setsid sh -c 'trap "echo 1 >$DIR/term" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.02; done' &
while ! [ -s $DIR/daemon ]; do sleep 0.02; done; exit 3`)
	g.term("7", time.Minute, time.Minute)
	daemon := g.pid("daemon")
	r := g.await("the program has ended", func(r Report) bool { return r.Ended != nil })
	if !r.Alive || r.Ended.Status != 3 || r.Ended.Ordered {
		t.Errorf("got %+v, %+v; want the daemon alive after status 3", r, *r.Ended)
	}
	if r = g.gone(); guardtest.Lives(daemon) || !r.Killed && r.Alive {
		t.Errorf("the daemon lives: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(g.dir, "term")); err != nil {
		t.Errorf("it got no SIGTERM before: %v", err)
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
	if took := now().Sub(ended); guardtest.Lives(daemon) || took > 5*time.Second {
		t.Errorf("the daemon lives %t, %s after the program's end", guardtest.Lives(daemon), took)
	}
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
	armed.arm(o)
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
