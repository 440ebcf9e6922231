package guard

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

func TestProgramIsStoppedWhenOrdered(t *testing.T) {
	g := guardShell(t, `trap 'exit 0' TERM; echo $$ >$DIR/main; while :; do sleep 0.02; done`)
	g.term("7", time.Minute, time.Minute)
	pid := g.pid("main")
	guardtest.Within(t, "the guard reports the program", func() bool { // the program may be quicker with its file
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
	if guardtest.Lives(main) || guardtest.Lives(daemon) {
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
	guardtest.Within(t, "both are gone", func() bool { return !guardtest.Lives(main) && !guardtest.Lives(daemon) })
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
	guardtest.Within(t, "the program dies", func() bool { return !guardtest.Lives(main) })
	if !guardtest.Lives(daemon) {
		t.Fatal("the daemon died by itself: the sweep shows nothing")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := Sweep(ctx); err != nil || guardtest.Lives(daemon) {
		t.Errorf("sweep: %v, daemon lives: %t", err, guardtest.Lives(daemon))
	}
	if !guardtest.Lives(kept) {
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
		want    uint64 // the mask of ignored signals
	}{
		"default":  {nil, 0},
		"as nohup": {[]syscall.Signal{syscall.SIGHUP}, 0b001},
		"as a job": {[]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}, 0b110},
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
			if !guardtest.Lives(g.PID()) || !guardtest.Lives(pid) {
				t.Error("a signal ended it")
			}
			got, err := os.ReadFile(filepath.Join(g.dir, "ignored"))
			if err != nil {
				t.Fatal(err)
			}
			mask, err := strconv.ParseUint(strings.TrimSpace(string(got)), 16, 64)
			const reserved = 0b111 << 31 // signals 32 to 34, the C library's: make leaves 32 ignored in what it starts
			if mask &^= reserved; err != nil || mask != tc.want {
				t.Errorf("the program ignores %#x, %v; want %#x", mask, err, tc.want)
			}
		})
	}
}

// Orphans of the program end as zombies at the guard: none stays.
func TestZombiesAreReaped(t *testing.T) {
	g := guardShell(t, `for i in 1 2 3 4 5; do sh -c 'sleep 0.05 & exec sleep 0' & done; wait; sleep 0.3; echo $$ >$DIR/main; exec sleep 100`)
	g.term("7", time.Minute, time.Minute)
	g.pid("main")
	guardtest.Within(t, "only the program is left", func() bool {
		all, err := procfs.Descendants(g.PID())
		zombies, err2 := procfs.Zombies(g.PID())
		return err == nil && err2 == nil && len(all) == 1 && len(zombies) == 0
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
	guardtest.Within(t, "the program dies", func() bool { return !guardtest.Lives(pid) })
}
