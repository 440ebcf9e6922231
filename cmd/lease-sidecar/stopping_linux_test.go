package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// A sidecar below another one takes no flag from the document of the one above, and its own command gets its own document.
func TestNestedSidecar(t *testing.T) {
	t.Parallel()
	inner := filepath.Join(t.TempDir(), "inner")
	p := raise(t, "", `mkdir $DIR/below; lease-sidecar run --store dir:`+inner+` --workload deployment/inner \
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
	for name, want := range map[string]string{"TOKEN": own.Token, "IDENTITY": own.Identity, "NAMESPACE": own.Namespace, "LEASE": own.Lease} {
		line := "\nLEADERSHIP_" + name + "="
		if got := strings.Count(environment, line); got != 1 || !strings.Contains(environment, line+want+"\n") {
			t.Errorf("LEADERSHIP_%s is there %d times, want once, as %s", name, got, want)
		}
	}
}

// A term that is lost without a handover ends the sidecar with --on-loss exit, once every signal is applied. One that is handed
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
		t.Errorf("it ended, and the directory says %+v, %v; its child lives: %t", l, err, living(main))
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
