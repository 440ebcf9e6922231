//go:build linux

package work

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// trial is a program that runs without a sidecar.
type trial struct {
	t      *testing.T
	folder string
	*harness.Process
}

func try(t *testing.T, c harness.Conduct, args ...string) trial {
	t.Helper()
	r := trial{t: t, folder: t.TempDir()}
	c.Write(t, r.folder)
	r.Process = harness.Launch(t, "program", filepath.Join(t.TempDir(), "log"), harness.WorkloadProgram(t), append([]string{"-folder", r.folder}, args...), os.Environ())
	return r
}

// marked returns the work of one kind of process, and when its last mark was.
func (r trial) marked(kind journal.Kind) (all []span, last time.Duration) {
	r.t.Helper()
	processes, err := journal.Read(r.folder)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range processes {
		for _, s := range p.Stretches {
			if p.Kind == kind {
				all = append(all, span{s.From, s.To})
				last = max(last, time.Duration(s.To))
			}
		}
	}
	return all, last
}

func (r trial) works(kind journal.Kind) bool {
	_, last := r.marked(kind)
	return time.Duration(now())-last < journal.Pause
}

func (r trial) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// TestProgramLeavesItsWorkers: the workers' journals go on after the command's, for about as long as they linger.
func TestProgramLeavesItsWorkers(t *testing.T) {
	const linger = 700 * time.Millisecond
	r := try(t, harness.Conduct{"Workers": 2, "Leave": true, "Deaf": true, "Linger": linger, "Stop": 200 * time.Millisecond}, "-child")
	harness.Eventually(t, slack, "command and workers work", func() bool { return r.works(journal.Command) && r.works(journal.Worker) })
	asked := time.Duration(now())
	r.signal(syscall.SIGTERM)
	<-r.Exited()
	if code := r.ExitCode(); code != 0 {
		t.Fatalf("the program ended with status %d", code)
	}
	_, command := r.marked(journal.Command)
	if on := command - asked; on < 100*time.Millisecond {
		t.Errorf("the command marked its work until %s after the signal, want some 200ms", on)
	}
	harness.Eventually(t, slack, "the workers end", func() bool { return !r.works(journal.Worker) })
	if all, worker := r.marked(journal.Worker); len(all) < 2 || worker-command < linger/2 {
		t.Errorf("%d pieces of workers, the last ended %s after the command; want 2 at least, and %s", len(all), worker-command, linger)
	}
}

// TestProgramThatIgnoresItsEnd works until it is killed, and its journal shows until when.
func TestProgramThatIgnoresItsEnd(t *testing.T) {
	r := try(t, harness.Conduct{"Ignore": true}, "-child")
	harness.Eventually(t, slack, "it works", func() bool { return r.works(journal.Command) })
	r.signal(syscall.SIGTERM)
	harness.Throughout(t, 300*time.Millisecond, "it works on", func() bool { return r.works(journal.Command) })
	before := time.Duration(now())
	r.Stop(0)
	if _, last := r.marked(journal.Command); last < before-journal.Pause || last > time.Duration(now()) {
		t.Errorf("its last mark is %s off its end", before-last)
	}
}

// TestProgramThatRests works after SIGUSR1 only, and says after SIGUSR2 that its work is over.
func TestProgramThatRests(t *testing.T) {
	var drained atomic.Int32
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/drained" {
			drained.Add(1)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer sidecar.Close()
	pidFile, health := filepath.Join(t.TempDir(), "pid"), harness.FreeAddress(t)
	r := try(t, harness.Conduct{"Workers": 1}, "-pid-file", pidFile, "-health", health, "-sidecar", strings.TrimPrefix(sidecar.URL, "http://"))
	harness.Eventually(t, slack, "it is ready", func() bool {
		_, err := os.Stat(pidFile)
		return err == nil
	})
	for round := int32(1); round <= 2; round++ {
		if r.works(journal.Command) || r.works(journal.Worker) {
			t.Error("it works without a signal")
		}
		r.signal(syscall.SIGUSR1)
		harness.Eventually(t, slack, "it works", func() bool { return r.works(journal.Command) && r.works(journal.Worker) })
		r.signal(syscall.SIGUSR2)
		harness.Eventually(t, slack, "it has said that it rests", func() bool { return drained.Load() == round })
		said := time.Duration(now())
		time.Sleep(2 * journal.Pause)
		for _, kind := range []journal.Kind{journal.Command, journal.Worker} {
			if _, last := r.marked(kind); last > said {
				t.Errorf("the %s worked on for %s after that", kind, last-said)
			}
		}
	}
	processes, err := journal.Read(r.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		for _, s := range p.Stretches {
			if last := s == p.Stretches[len(p.Stretches)-1]; p.Kind == journal.Command && last && !s.Rested {
				t.Error("its journal does not say that it rests")
			}
		}
	}
	for _, sick := range []bool{false, true} {
		want := http.StatusOK
		if sick {
			want = http.StatusServiceUnavailable
			if err := os.WriteFile(filepath.Join(r.folder, "sick"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.Get("http://" + health)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("sick %v: status %d, want %d", sick, res.StatusCode, want)
		}
	}
}

func TestScheduleIsRepeatable(t *testing.T) {
	for s := range uint64(20) {
		p := Plan{Seed: s, Span: 10 * time.Minute, D: 4 * time.Second}
		a, b := p.Draw(), p.Draw()
		if len(a.Main) == 0 || len(a.Side) == 0 || len(a.Main) != len(b.Main) || len(a.Side) != len(b.Side) {
			t.Fatalf("seed %d: %d and %d faults, then %d and %d", s, len(a.Main), len(a.Side), len(b.Main), len(b.Side))
		}
		seen := map[Kind]bool{}
		for i, f := range a.Main {
			seen[f.Kind] = true
			if f != b.Main[i] {
				t.Errorf("seed %d: %v, then %v", s, f, b.Main[i])
			}
		}
		for _, kind := range order {
			if !seen[kind] {
				t.Errorf("seed %d: no %q in %s", s, kind, p.Span)
			}
		}
	}
}
