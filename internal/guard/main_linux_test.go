package guard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
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
	guardtest.GuardItself(Invoked, Main)
	if err := procfs.Subreaper(); err != nil {
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
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
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
	guardtest.Within(g.t, what, func() bool { r = g.last(); return so(r) })
	return r
}

func (g *guarded) gone() Report {
	g.t.Helper()
	return g.await("everything is gone", func(r Report) bool { return r.Ended != nil && !r.Alive })
}

// pid waits for the pid that the program wrote to a file.
func (g *guarded) pid(name string) (pid int) {
	g.t.Helper()
	return guardtest.PID(g.t, filepath.Join(g.dir, name))
}

func now() bootclock.Instant { return bootclock.System{}.Now() }

// ignoresTerm is a script that writes its pid, and that of a daemon in a session of its own, and heeds no SIGTERM.
const ignoresTerm = `trap '' TERM
setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.1; done' &
echo $$ >$DIR/main
while :; do sleep 0.1; done`
