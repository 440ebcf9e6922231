package guard

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// TestMain makes this binary its own guard, as the command is.
func TestMain(m *testing.M) {
	guardtest.DefaultSignals()
	if argv, ok := Invoked(os.Args); ok {
		if err := Main(argv); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := Subreaper(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// guarded is a guard and all that it has reported.
type guarded struct {
	*Guard
	t   *testing.T
	dir string // the program's $DIR

	mu      sync.Mutex
	reports []Report
}

// guardShell starts a guard for a shell script.
func guardShell(t *testing.T, script string) *guarded {
	t.Helper()
	return guardCommand(t, "sh", "-c", script)
}

func guardCommand(t *testing.T, command ...string) *guarded {
	t.Helper()
	g := &guarded{t: t, dir: t.TempDir()}
	var err error
	g.Guard, err = Start(Config{Command: command, Report: func(r Report) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.reports = append(g.reports, r)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.Close()
		sweepAll(t)
	})
	return g
}

func sweepAll(t *testing.T) {
	t.Helper()
	ctx, cancel := contextWithin(5 * time.Second)
	defer cancel()
	if err := Sweep(ctx); err != nil {
		t.Error(err)
	}
	for { // this process has inherited them
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid <= 0 {
			return
		}
	}
}

// term runs the program for a term that ends in so long, and is killed so much later.
func (g *guarded) term(token string, left, kill time.Duration) {
	g.t.Helper()
	until := now().Add(left)
	_, err := g.Run(Term{Token: token, Env: []string{"DIR=" + g.dir, "TOKEN=" + token}, Until: until, Kill: until.Add(kill)})
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *guarded) last() Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.reports) == 0 {
		return Report{}
	}
	return g.reports[len(g.reports)-1]
}

// await waits until a report is so.
func (g *guarded) await(what string, so func(Report) bool) Report {
	g.t.Helper()
	var r Report
	within(g.t, 10*time.Second, what, func() bool { r = g.last(); return so(r) })
	return r
}

func (g *guarded) gone() Report {
	g.t.Helper()
	return g.await("everything is gone", func(r Report) bool { return r.Ended != nil && !r.Alive })
}

// pid waits for the pid that the program wrote to a file.
func (g *guarded) pid(name string) (pid int) {
	g.t.Helper()
	within(g.t, 10*time.Second, "the program writes "+name, func() bool {
		b, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

func now() bootclock.Instant { return bootclock.System{}.Now() }

func within(t *testing.T, d time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within %s: %s", d, what)
}

// lives reports whether a process runs: a zombie does not.
func lives(pid int) bool {
	p, err := procfs.ReadProcess(pid)
	return err == nil && p.State != 'Z'
}

// ignoresTerm is a script that writes its pid, and that of a daemon in a session of its own, and heeds no SIGTERM.
const ignoresTerm = `trap '' TERM
setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.1; done' &
echo $$ >$DIR/main
while :; do sleep 0.1; done`

func TestProgramIsStoppedWhenOrdered(t *testing.T) {
	g := guardShell(t, `trap 'exit 0' TERM; echo $$ >$DIR/main; while :; do sleep 0.02; done`)
	g.term("7", time.Minute, time.Minute)
	pid := g.pid("main")
	within(t, 5*time.Second, "the guard reports the program", func() bool { // the program may be quicker with its file
		r := g.last()
		return r.PID == pid && r.Alive && r.Ended == nil
	})
	number, err := g.Stop("7", now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	r := g.gone()
	if want := (End{Token: "7", Ordered: true}); *r.Ended != want || r.Taken != number {
		t.Errorf("got %+v after order %d; want %+v after %d", *r.Ended, r.Taken, want, number)
	}
}

// The sidecar says nothing any more: the guard keeps the deadline, and the one after that.
func TestDeadlinesHoldWithoutTheSidecar(t *testing.T) {
	g := guardShell(t, ignoresTerm)
	until := now().Add(700 * time.Millisecond)
	kill := until.Add(400 * time.Millisecond)
	if _, err := g.Run(Term{Token: "7", Env: []string{"DIR=" + g.dir}, Until: until, Kill: kill}); err != nil {
		t.Fatal(err)
	}
	main, daemon := g.pid("main"), g.pid("daemon")
	r := g.gone()
	ended := now()
	if r.Ended.Signal != syscall.SIGKILL || r.Ended.Status != 137 || !r.Ended.Ordered {
		t.Errorf("got %+v; want it killed", *r.Ended)
	}
	if lives(main) || lives(daemon) {
		t.Error("it lives")
	}
	if ended.Before(kill) || ended.Sub(kill) > 2*time.Second {
		t.Errorf("it was gone %s after the kill deadline", ended.Sub(kill))
	}
}

// A renewal moves the deadlines.
func TestRenewalMovesTheDeadline(t *testing.T) {
	g := guardShell(t, `echo $$ >$DIR/main; exec sleep 100`)
	g.term("7", 500*time.Millisecond, time.Second)
	pid := g.pid("main")
	g.term("7", time.Minute, time.Second)
	time.Sleep(800 * time.Millisecond)
	if r := g.last(); r.PID != pid || r.Ended != nil {
		t.Errorf("got %+v; want pid %d to run on", r, pid)
	}
}

func TestEverythingDiesWithTheSidecar(t *testing.T) {
	g := guardShell(t, ignoresTerm)
	g.term("7", time.Minute, time.Minute)
	main, daemon := g.pid("main"), g.pid("daemon")
	g.orders.Close() // all that the guard sees of a sidecar's death
	within(t, time.Second, "both are gone", func() bool { return !lives(main) && !lives(daemon) })
	<-g.Done()
}

// The guard is killed: the program goes with it, and what had left it is swept up.
func TestEverythingDiesWithTheGuard(t *testing.T) {
	g := guardShell(t, ignoresTerm)
	other := guardShell(t, `echo $$ >$DIR/main; exec sleep 100`)
	g.term("7", time.Minute, time.Minute)
	other.term("1", time.Minute, time.Minute)
	main, daemon, kept := g.pid("main"), g.pid("daemon"), other.pid("main")
	if err := syscall.Kill(g.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-g.Done()
	within(t, time.Second, "the program dies", func() bool { return !lives(main) })
	if !lives(daemon) {
		t.Fatal("the daemon died by itself: the sweep shows nothing")
	}
	ctx, cancel := contextWithin(5 * time.Second)
	defer cancel()
	if err := Sweep(ctx); err != nil || lives(daemon) {
		t.Errorf("sweep: %v, daemon lives: %t", err, lives(daemon))
	}
	if !lives(kept) {
		t.Error("the sweep reached into another guard's program")
	}
	if _, err := g.Stop("7", 0); err == nil {
		t.Error("a dead guard took an order")
	}
}

func TestEnds(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		command []string
		want    End
		fault   bool
	}{
		"well":            {command: []string{"true"}},
		"with a status":   {command: []string{"sh", "-c", "exit 3"}, want: End{Status: 3}},
		"killed":          {command: []string{"sh", "-c", "kill -SEGV $$"}, want: End{Status: 139, Signal: syscall.SIGSEGV}},
		"not there":       {command: []string{"/nowhere/at-all"}, want: End{Status: 127}, fault: true},
		"not in the path": {command: []string{"no-such-program-anywhere"}, want: End{Status: 127}, fault: true},
		"no program":      {command: []string{plain}, want: End{Status: 126}, fault: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := guardCommand(t, tc.command...)
			g.term("7", time.Minute, time.Minute)
			got := *g.gone().Ended
			if (got.Fault != "") != tc.fault {
				t.Errorf("got fault %q", got.Fault)
			}
			tc.want.Token, got.Fault = "7", ""
			if got != tc.want {
				t.Errorf("got %+v; want %+v", got, tc.want)
			}
		})
	}
}

// A term in which the program has ended is over for it; the next one is not, and starts when nothing of the last lives.
func TestOneProgramATerm(t *testing.T) {
	g := guardShell(t, `echo start $TOKEN >>$DIR/log
trap 'sleep 0.3; echo stop $TOKEN >>$DIR/log; exit 0' TERM
[ $TOKEN = 1 ] && exit 0
echo $$ >$DIR/main.$TOKEN
while :; do sleep 0.02; done`)
	g.term("1", time.Minute, time.Minute)
	g.gone()
	g.term("1", time.Minute, time.Minute)
	number, err := g.Stop("7", 0)
	if err != nil {
		t.Fatal(err)
	}
	g.await("the stop is taken", func(r Report) bool { return r.Taken == number })
	g.term("2", time.Minute, time.Minute)
	g.pid("main.2")
	g.term("3", time.Minute, time.Minute)
	g.pid("main.3")
	log, err := os.ReadFile(filepath.Join(g.dir, "log"))
	if want := "start 1\nstart 2\nstop 2\nstart 3\n"; err != nil || string(log) != want {
		t.Errorf("got %q, %v; want %q", log, err, want)
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
	if r = g.gone(); lives(daemon) || !r.Killed && r.Alive {
		t.Errorf("the daemon lives: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(g.dir, "term")); err != nil {
		t.Errorf("it got no SIGTERM before: %v", err)
	}
}

func TestSignalsAreForwarded(t *testing.T) {
	g := guardShell(t, `trap 'echo 1 >$DIR/hup' HUP; trap 'echo 1 >$DIR/usr1' USR1
sh -c 'trap : HUP; trap "echo 1 >$DIR/inner" USR1; echo $$ >$DIR/ready; while :; do sleep 0.02; done' &
while :; do sleep 0.02; done`)
	if err := g.Forward(syscall.SIGHUP); err != nil { // to nobody
		t.Fatal(err)
	}
	g.term("7", time.Minute, time.Minute)
	g.pid("ready")
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		if err := g.Forward(s); err != nil {
			t.Fatal(err)
		}
	}
	g.pid("hup")
	g.pid("usr1")
	g.pid("inner") // the whole group
}

// The guard outlives what a session's end or a service manager sends to everyone. The program ignores what the sidecar was
// started with ignored, and nothing else.
func TestGuardHeedsNoSignal(t *testing.T) {
	for name, tc := range map[string]struct {
		ignored []syscall.Signal
		want    string
	}{
		"default":  {nil, "0000000000000000\n"},
		"as nohup": {[]syscall.Signal{syscall.SIGHUP}, "0000000000000001\n"},
		"as a job": {[]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}, "0000000000000006\n"},
	} {
		t.Run(name, func(t *testing.T) {
			atStart = tc.ignored
			defer func() { atStart = nil }()
			g := guardShell(t, `grep SigIgn /proc/self/status | cut -f2 >$DIR/ignored; echo $$ >$DIR/main; exec sleep 100`)
			g.term("7", time.Minute, time.Minute)
			pid := g.pid("main")
			for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1} {
				if err := syscall.Kill(g.PID(), s); err != nil {
					t.Fatal(err)
				}
			}
			// A renewal: by the time that the guard takes it, it has taken the signals.
			until := now().Add(time.Minute)
			number, err := g.Run(Term{Token: "7", Until: until, Kill: until})
			if err != nil {
				t.Fatal(err)
			}
			g.await("it takes an order after the signals", func(r Report) bool { return r.Taken == number })
			if !lives(g.PID()) || !lives(pid) {
				t.Error("a signal ended it")
			}
			if got, err := os.ReadFile(filepath.Join(g.dir, "ignored")); err != nil || string(got) != tc.want {
				t.Errorf("the program ignores %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

// Orphans of the program end as zombies at the guard: none stays.
func TestZombiesAreReaped(t *testing.T) {
	g := guardShell(t, `for i in 1 2 3 4 5; do sh -c 'sleep 0.05 & exec sleep 0' & done; wait; sleep 0.3; echo $$ >$DIR/main; exec sleep 100`)
	g.term("7", time.Minute, time.Minute)
	g.pid("main")
	within(t, 5*time.Second, "only the program is left", func() bool {
		all, err := descendants(g.PID())
		zombies, err2 := procfs.Zombies(g.PID())
		return err == nil && err2 == nil && len(all) == 1 && len(zombies) == 0
	})
}

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
	arm := func(t *testing.T, g *guarded, o procfs.Order) {
		t.Helper()
		if err := g.Arm(o); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("fires at the deadline, and kills later", func(t *testing.T) {
		g := guardCommand(t)
		dir := t.TempDir()
		cmd, o := victim(t, `trap 'echo 1 >`+dir+`/term' TERM; echo 1 >`+dir+`/ready; while :; do sleep 0.02; done`)
		within(t, 5*time.Second, "it is ready", func() bool { _, err := os.Stat(dir + "/ready"); return err == nil })
		o.Deadline = now().Add(300 * time.Millisecond)
		o.Kill = o.Deadline.Add(300 * time.Millisecond)
		arm(t, g, o)
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
		arm(t, g, o)
		o.Deadline = now().Add(time.Minute)
		arm(t, g, o)
		time.Sleep(500 * time.Millisecond)
		if !lives(cmd.Process.Pid) {
			t.Error("a moved deadline fired")
		}
		o.Deadline = now().Add(200 * time.Millisecond)
		arm(t, g, o)
		if err := g.Disarm(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if !lives(cmd.Process.Pid) {
			t.Error("a deadline fired that was taken away")
		}
	})
	t.Run("fires when the sidecar dies", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		arm(t, g, o)
		g.orders.Close()
		if got := endOf(t, cmd); got != syscall.SIGTERM {
			t.Errorf("got %s", got)
		}
		<-g.Done()
	})
	t.Run("leaves it alone when closed in good order", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		arm(t, g, o)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if !lives(cmd.Process.Pid) {
			t.Error("it was signalled")
		}
	})
	t.Run("spares who got the number later", func(t *testing.T) {
		g := guardCommand(t)
		cmd, o := victim(t, `exec sleep 100`)
		o.Deadline, o.Start = now(), o.Start+1
		arm(t, g, o)
		time.Sleep(300 * time.Millisecond)
		if !lives(cmd.Process.Pid) {
			t.Error("it was signalled")
		}
	})
}

// A guard that is frozen takes no orders: sooner or later that shows, and it is killed.
func TestFullPipeIsAnError(t *testing.T) {
	g := guardShell(t, `echo $$ >$DIR/main; exec sleep 100`)
	g.term("7", time.Minute, time.Minute)
	pid := g.pid("main")
	if err := syscall.Kill(g.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 5000 {
		if err = g.Forward(syscall.SIGWINCH); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("the pipe never filled")
	}
	<-g.Done()
	within(t, time.Second, "the program dies", func() bool { return !lives(pid) })
}
