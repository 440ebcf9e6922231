//go:build linux

package workload

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

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// trial is a program that runs without a sidecar.
type trial struct {
	t      *testing.T
	work   *harness.Work
	folder string
	*harness.Process
}

func try(t *testing.T, c harness.Conduct, args ...string) trial {
	t.Helper()
	r := trial{t: t, work: harness.NewWork(t)}
	command := r.work.Command(t, "pod", c, args...)
	r.folder = command[2]
	r.Process = harness.Launch(t, "program", filepath.Join(t.TempDir(), "log"), command[0], command[1:], os.Environ())
	return r
}

// marked returns how many stretches one kind of process has worked, and when its last mark was.
func (r trial) marked(kind journal.Kind) (stretches int, last bootclock.Instant) {
	r.t.Helper()
	for _, term := range r.work.Terms(r.t) {
		if term.Channel == string(kind) {
			stretches, last = stretches+1, max(last, term.To)
		}
	}
	return stretches, last
}

func (r trial) works(kind journal.Kind) bool {
	_, last := r.marked(kind)
	return now().Sub(last) < journal.Pause
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
	harness.Eventually(t, patience, "command and workers work", func() bool { return r.works(journal.Command) && r.works(journal.Worker) })
	asked := now()
	r.signal(syscall.SIGTERM)
	<-r.Exited()
	if code := r.ExitCode(); code != 0 {
		t.Fatalf("the program ended with status %d", code)
	}
	_, command := r.marked(journal.Command)
	if on := command.Sub(asked); on < 100*time.Millisecond {
		t.Errorf("the command marked its work until %s after the signal, want some 200ms", on)
	}
	harness.Eventually(t, patience, "the workers end", func() bool { return !r.works(journal.Worker) })
	if stretches, worker := r.marked(journal.Worker); stretches < 2 || worker.Sub(command) < linger/2 {
		t.Errorf("%d pieces of workers, the last ended %s after the command; want 2 at least, and %s", stretches, worker.Sub(command), linger)
	}
}

// TestProgramThatIgnoresItsEnd works until it is killed, and its journal shows until when.
func TestProgramThatIgnoresItsEnd(t *testing.T) {
	r := try(t, harness.Conduct{"Ignore": true}, "-child")
	harness.Eventually(t, patience, "it works", func() bool { return r.works(journal.Command) })
	asked := now()
	r.signal(syscall.SIGTERM)
	harness.Eventually(t, patience, "it works on", func() bool {
		_, last := r.marked(journal.Command)
		return last.Sub(asked) > 300*time.Millisecond
	})
	before := now()
	r.Stop(0)
	if _, last := r.marked(journal.Command); last < before.Add(-time.Second) || last > now() {
		t.Errorf("its last mark is %s off its end", before.Sub(last))
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
	harness.Eventually(t, patience, "it is ready", func() bool {
		_, err := os.Stat(pidFile)
		return err == nil
	})
	for round := int32(1); round <= 2; round++ {
		if r.works(journal.Command) || r.works(journal.Worker) {
			t.Error("it works without a signal")
		}
		r.signal(syscall.SIGUSR1)
		harness.Eventually(t, patience, "it works", func() bool { return r.works(journal.Command) && r.works(journal.Worker) })
		r.signal(syscall.SIGUSR2)
		harness.Eventually(t, patience, "it has said that it rests", func() bool { return drained.Load() == round })
		said := now()
		time.Sleep(2 * journal.Pause)
		for _, kind := range []journal.Kind{journal.Command, journal.Worker} {
			if _, last := r.marked(kind); last > said {
				t.Errorf("the %s worked on for %s after that", kind, last.Sub(said))
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
