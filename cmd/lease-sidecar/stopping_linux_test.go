package main

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// A sidecar below another one takes no flag from the document of the one above, and its own command gets its own document.
func TestNestedSidecar(t *testing.T) {
	t.Parallel()
	inner := filepath.Join(t.TempDir(), "inner")
	p := raise(t, filepath.Join(t.TempDir(), "store"), `mkdir $DIR/below; lease-sidecar run --store dir:`+inner+` --workload deployment/inner \
--lease-duration 3s --signal-dir $DIR/below --http-address off --probe-address off -- sh -c 'env >$DIR/env; echo $$ >$DIR/main-inner; exec sleep 100'`,
		"--namespace", "outer", "--identity", "above")
	p.pid("main-inner")
	own, err := leadership.Read(filepath.Join(p.dir, "below"))
	if err != nil {
		t.Fatal(err)
	}
	if own.Namespace == "outer" || strings.HasPrefix(own.Identity, "above") {
		t.Errorf("it campaigns in the namespace %s as %s: by the document of the one above", own.Namespace, own.Identity)
	}
	b, err := os.ReadFile(filepath.Join(p.dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	environment := "\n" + string(b)
	for _, prefix := range []string{"LEADERSHIP_", "LEASE_SIDECAR_"} {
		for name, want := range map[string]string{"TOKEN": own.Token, "IDENTITY": own.Identity, "NAMESPACE": own.Namespace, "LEASE": own.Lease} {
			line := "\n" + prefix + name + "="
			if got := strings.Count(environment, line); got != 1 || !strings.Contains(environment, line+want+"\n") {
				t.Errorf("%s%s is there %d times, want once, as %s", prefix, name, got, want)
			}
		}
	}
}

// A term that is lost without a handover ends the sidecar, where it was told so, once everything was told. One that is handed
// over does not.
func TestOnLossExit(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	p := raise(t, store, obedient, "--on-loss", "exit", "--identity", "a")
	main := p.runs()
	p.send(syscall.SIGSTOP)
	until := p.validUntil()
	soon(t, 20*time.Second, "the term is over", func() bool { return boot() > until })
	p.send(syscall.SIGCONT)
	if status := p.status(); status != exitLost {
		t.Errorf("got status %d, want %d", status, exitLost)
	}
	if l, err := leadership.Read(p.signalDir()); err != nil || l.IsLeader || living(main) {
		t.Errorf("it ended, and the workload is told %+v, %v; its child lives: %t", l, err, living(main))
	}
	q := raise(t, store, obedient, "--on-loss", "exit", "--identity", "b")
	q.runs()
	out, err := exec.Command("lease-sidecar", "step-down", "--http-address", "unix:"+filepath.Join(q.dir, "http")).CombinedOutput()
	if err != nil {
		t.Fatalf("step down: %v: %s", err, out)
	}
	soon(t, 20*time.Second, "it has handed over", func() bool {
		l, err := leadership.Read(q.signalDir())
		return err == nil && !l.IsLeader && l.ValidUntil.IsZero()
	})
	time.Sleep(500 * time.Millisecond)
	select {
	case <-q.done:
		t.Error("a handover ended it")
	default:
	}
}

// bystander is a candidate that leads never.
type bystander struct{}

func (bystander) SetHealthy(bool, string)           {}
func (bystander) Leadership() leadership.Leadership { return leadership.Leadership{} }

// The endpoint's end tells less than the process's, where that is seen: a process may close its endpoint and work on.
func TestEndpointIsNoSightBesideAProcess(t *testing.T) {
	for name, c := range map[string]struct {
		process process.Target
		want    []string
	}{
		"alone":            {process.Target{}, []string{"health"}},
		"beside a process": {process.Target{Name: "nobody-is-called-so"}, []string{"process"}},
	} {
		t.Run(name, func(t *testing.T) {
			log, clock := slog.New(slog.DiscardHandler), bootclock.System{}
			s := settings{process: process.Config{Target: c.process, Clock: clock}}
			s.health = healthSettings{provesStop: true, check: health.Config{
				TCP: "127.0.0.1:1", Interval: time.Second, Timeout: time.Second, Threshold: 1, SuccessThreshold: 1, Clock: clock,
			}}
			sidecar := &sidecar{log: log, board: health.NewBoard(bystander{})}
			o, err := s.openOutlets(sidecar, log, clock, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sidecar.close() }()
			var got []string
			for _, one := range o.sights {
				got = append(got, one.Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the sights are %q, want %q", got, c.want)
			}
		})
	}
}
