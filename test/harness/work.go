//go:build linux

package harness

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// Conduct is what a workload's program does at the end of its work: the fields of the type of that name in
// test/workload/program. Nil stops at once.
type Conduct map[string]any

// Write puts the conduct into the folder of a program's journals, for all its starts.
func (c Conduct) Write(t testing.TB, folder string) {
	t.Helper()
	if c == nil {
		c = Conduct{}
	}
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "conduct.json"), text, 0o600)
	}
	if err != nil {
		t.Fatalf("write the conduct: %v", err)
	}
}

// Work is what the workloads of a test did, by journals that they wrote themselves on the boot clock. It is judged without regard
// to what any sidecar published.
type Work struct{ dir string }

// NewWork returns work that nobody has done yet. What still works at the end of the test is killed.
func NewWork(t testing.TB) *Work {
	t.Helper()
	w := &Work{dir: t.TempDir()}
	t.Cleanup(func() {
		for _, processes := range w.read(t) {
			for _, p := range processes {
				if p.Lives() {
					_ = syscall.Kill(p.PID, syscall.SIGKILL)
				}
			}
		}
	})
	return w
}

// Command is a command line that runs the workload's program of a pod, with more arguments for it: "-child" works from the start.
func (w *Work) Command(t testing.TB, pod string, conduct Conduct, args ...string) []string {
	t.Helper()
	folder := filepath.Join(w.dir, pod)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	conduct.Write(t, folder)
	return append([]string{WorkloadProgram(t), "-folder", folder}, args...)
}

// Start starts a workload of the pod that no sidecar has started. It dies with the test.
func (w *Work) Start(t testing.TB, pod string, conduct Conduct, args ...string) *Process {
	t.Helper()
	command := w.Command(t, pod, conduct, args...)
	return Launch(t, pod+"'s workload", filepath.Join(w.dir, "log-"+pod), command[0], command[1:], nil)
}

// read returns the processes of each pod.
func (w *Work) read(t testing.TB) map[string][]journal.Process {
	t.Helper()
	pods, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]journal.Process{}
	for _, pod := range pods {
		if !pod.IsDir() {
			continue
		}
		processes, err := journal.Read(filepath.Join(w.dir, pod.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[pod.Name()] = processes
	}
	return found
}

// Terms returns every stretch in which a process of a pod's workload worked, by its start.
func (w *Work) Terms(t testing.TB) []Term {
	t.Helper()
	return w.terms(t, func(p journal.Process) []journal.Stretch { return p.Stretches })
}

func (w *Work) terms(t testing.TB, of func(journal.Process) []journal.Stretch) []Term {
	t.Helper()
	var terms []Term
	for pod, processes := range w.read(t) {
		for _, p := range processes {
			for _, s := range of(p) {
				terms = append(terms, Term{Replica: pod, Channel: string(p.Kind), Token: s.Token, From: s.From, To: s.To})
			}
		}
	}
	slices.SortFunc(terms, func(a, b Term) int { return cmp.Compare(a.From, b.From) })
	return terms
}

// Spells returns every time for which a process of a pod's workload had work to do, by its start: a process that had to wait for
// the processor worked on.
func (w *Work) Spells(t testing.TB) []Term {
	t.Helper()
	return w.terms(t, journal.Process.Spells)
}

// workRecent is how old the newest mark may be of a process that works: a busy machine lets it wait at times.
const workRecent = time.Second

// Works reports whether the pod's workload has worked just now.
func (w *Work) Works(t testing.TB, pod string) bool {
	t.Helper()
	now := bootclock.System{}.Now()
	return slices.ContainsFunc(w.Terms(t), func(term Term) bool { return term.Replica == pod && now.Sub(term.To) < workRecent })
}

// Kill ends what the pod's workload runs at once, as a crash does, and returns how many processes it ended.
func (w *Work) Kill(t testing.TB, pod string) (killed int) {
	t.Helper()
	for _, p := range w.read(t)[pod] {
		if p.Lives() && syscall.Kill(p.PID, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// Await waits until the pod's workload works.
func (w *Work) Await(t testing.TB, bound time.Duration, pod string) {
	t.Helper()
	Eventually(t, bound, pod+" works", func() bool { return w.Works(t, pod) })
}

// Double returns for how long the workloads of two pods worked at once, over all pairs of stretches.
func (w *Work) Double(t testing.TB) time.Duration {
	t.Helper()
	var double time.Duration
	for _, o := range Overlaps(w.Terms(t)) {
		double += o.Span
	}
	return double
}

// workLook is how long Verdict looks on, so that an overlap that has just begun shows its length.
const workLook = 3 * time.Second

// Verdict looks on for three seconds, fails the test where two pods worked at once, and logs for how long.
func (w *Work) Verdict(t testing.TB) {
	t.Helper()
	time.Sleep(workLook)
	for _, o := range Overlaps(w.Terms(t)) {
		t.Errorf("two worked at once: %v", o)
	}
	for _, term := range w.Terms(t) {
		t.Logf("%s worked from %v to %v", term.Replica, time.Duration(term.From), time.Duration(term.To))
	}
	t.Logf("figure: double work %.2f s", w.Double(t).Seconds())
}
