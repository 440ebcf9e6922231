//go:build linux

package workload

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// Each test has up to nine replicas.
func TestMain(m *testing.M) { os.Exit(harness.MainWithoutLeaks(m, "4")) }

// Files of a pod's folder, and of the stage's.
const (
	workDir    = "work"     // journals, and what decides the program's conduct
	pidFile    = "pid"      // the program's pid, once it catches its signals
	appSocket  = "app.sock" // the program's health endpoint
	stopFile   = "stop"     // of the stage: how long a stop takes
	appAddress = "unix:" + harness.Here + appSocket
)

// patience bounds the waits for what happens by itself, such as the next leader's work.
const patience = time.Minute

func now() bootclock.Instant { return bootclock.System{}.Now() }

// stage is one election: its folder, and what its programs have written down.
type stage struct {
	t    *testing.T
	root string
	// ended has the journals of processes that have ended, by path: nothing in them changes any more.
	ended map[string]journal.Process
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, root: harness.LocalRoot(t), ended: map[string]journal.Process{}}
	s.setStop(0)
	return s
}

// setStop says how long a program takes to stop from now on that looks there.
func (s *stage) setStop(takes time.Duration) {
	s.t.Helper()
	path := filepath.Join(s.root, stopFile)
	err := os.WriteFile(path+".new", []byte(takes.String()), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// setup is how a pod's sidecar and program run.
type setup struct {
	program []string // its arguments
	conduct harness.Conduct
	flags   []string // of the sidecar
	child   bool     // the sidecar runs the program
}

// pod is a replica: a sidecar, and a program as its command or beside it.
type pod struct {
	*harness.Local
	stage *stage
	setup setup
	app   *harness.Process // nil: the sidecar runs it, or nobody has started it
}

// prepare makes a pod that is not started. Its processes end with the test.
func (s *stage) prepare(name string, how setup) *pod {
	s.t.Helper()
	p := &pod{stage: s, setup: how}
	p.Local = harness.NewLocal(s.t, s.root, name, how.flags...)
	if err := os.Mkdir(filepath.Join(p.Dir, workDir), 0o700); err != nil {
		s.t.Fatal(err)
	}
	how.conduct.Write(s.t, filepath.Join(p.Dir, workDir))
	if how.child {
		p.Flags = append(append(slices.Clip(p.Flags), "--", harness.WorkloadProgram(s.t)), p.arguments()...)
	}
	s.t.Cleanup(func() { // before the sidecar is killed; workers outlive all others
		for _, w := range s.spells() {
			if w.pod == name && w.goesOn() {
				_ = syscall.Kill(w.process.PID, syscall.SIGKILL)
			}
		}
	})
	return p
}

// arguments are those of the program.
func (p *pod) arguments() []string {
	all := []string{"-folder", filepath.Join(p.Dir, workDir), "-signal-dir", p.SignalDir(), "-sidecar", "unix:" + p.Socket()}
	for _, arg := range p.setup.program {
		switch arg {
		case appAddress:
			arg = "unix:" + filepath.Join(p.Dir, appSocket)
		case stopFile:
			arg = filepath.Join(p.stage.root, stopFile)
		case pidFile:
			arg = filepath.Join(p.Dir, pidFile)
		}
		all = append(all, arg)
	}
	return all
}

// start runs a pod, its program at once.
func (s *stage) start(name string, how setup) *pod {
	s.t.Helper()
	p := s.prepare(name, how)
	p.run()
	return p
}

func (p *pod) run() {
	p.stage.t.Helper()
	p.Start()
	if !p.setup.child {
		p.startApp()
	}
}

func (p *pod) startApp() {
	p.stage.t.Helper()
	p.app = harness.Launch(p.stage.t, p.Name+"'s program", p.LogPath, harness.WorkloadProgram(p.stage.t), p.arguments(), os.Environ())
}

// supervise starts the program, once, when the pod leads, as an init script would. It ends with the test.
func (p *pod) supervise() {
	ctx, cancel := context.WithCancel(context.Background())
	var joined sync.WaitGroup
	joined.Go(func() {
		for ctx.Err() == nil && !p.Leadership().IsLeader {
			time.Sleep(journal.Tick)
		}
		if ctx.Err() == nil {
			p.startApp()
		}
	})
	p.stage.t.Cleanup(func() { cancel(); joined.Wait() })
}

// works waits until the pod's program works.
func (p *pod) works() spell {
	p.stage.t.Helper()
	var found spell
	p.stage.eventually(p.Name+" works", func() bool {
		found = p.newest()
		return found.pod != ""
	})
	return found
}

// newest returns the spell that the pod began last; no pod: there is none.
func (p *pod) newest() (found spell) {
	for _, w := range p.stage.spells() {
		if w.pod == p.Name {
			found = w
		}
	}
	return found
}

// last returns when the pod's processes were at work last, all together, and whether each ended its work by itself.
func (p *pod) last() (last bootclock.Instant, stopped bool) {
	stopped = true
	for _, w := range p.stage.spells() {
		if w.pod == p.Name {
			last, stopped = max(last, w.to), stopped && w.stopped
		}
	}
	return last, stopped
}

// spell is one process's work: from its first mark to its last one so far.
type spell struct {
	pod      string
	process  journal.Process
	from, to bootclock.Instant
	stopped  bool // it ended by itself
}

// goesOn reports whether the process works on, as far as it can.
func (s spell) goesOn() bool { return !s.stopped && s.process.Lives() }

// spells returns all work so far, by its begin.
func (s *stage) spells() []spell {
	s.t.Helper()
	folders, err := filepath.Glob(filepath.Join(s.root, "*", workDir))
	if err != nil {
		s.t.Fatal(err)
	}
	var all []spell
	for _, folder := range folders {
		paths, err := journal.Files(folder)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, path := range paths {
			p := s.read(path)
			for _, w := range p.Spells() {
				all = append(all, spell{pod: filepath.Base(filepath.Dir(folder)), process: p, from: w.From, to: w.To, stopped: w.Rested})
			}
		}
	}
	slices.SortFunc(all, func(a, b spell) int { return cmp.Compare(a.from, b.from) })
	return all
}

func (s *stage) read(path string) journal.Process {
	s.t.Helper()
	if p, ok := s.ended[path]; ok {
		return p
	}
	before, err := journal.ReadFile(path)
	if err == nil && !before.Lives() {
		before, err = journal.ReadFile(path) // whole, now that it has ended
		s.ended[path] = before
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return before
}

// journalLook is the pause between two looks at all journals, which costs more than a look at one file.
const journalLook = 30 * time.Millisecond

// eventually waits until the journals show something.
func (s *stage) eventually(what string, holds func() bool) {
	s.t.Helper()
	if !harness.Within(patience, journalLook, holds) {
		s.t.Fatalf("not within %v: %s", patience, what)
	}
}

// working returns the spell that goes on now, if there is one.
func (s *stage) working() (spell, bool) {
	for _, w := range s.spells() {
		if w.goesOn() {
			return w, true
		}
	}
	return spell{}, false
}

// awaitWork waits until somebody works.
func (s *stage) awaitWork() (found spell) {
	s.t.Helper()
	s.eventually("somebody works", func() (so bool) { found, so = s.working(); return so })
	return found
}

// awaitNext waits until work begins after the first so many spells, and returns that one and the one before.
func (s *stage) awaitNext(before int) (next, last spell) {
	s.t.Helper()
	var all []spell
	s.eventually("the next one works", func() bool { all = s.spells(); return len(all) > before })
	return all[before], all[before-1]
}

// overlaps returns the pairs of spells that share a time and must not: those of two pods, and of two commands of one pod. A
// command and its own workers may work at once.
func overlaps(all []spell) (found [][2]spell) {
	for i, a := range all {
		for _, b := range all[i+1:] {
			commands := a.process.Kind == journal.Command && b.process.Kind == journal.Command && a.process.PID != b.process.PID
			if (a.pod != b.pod || commands) && a.from < b.to && b.from < a.to {
				found = append(found, [2]spell{a, b})
			}
		}
	}
	return found
}

// lookOn is how long wantNoOverlap goes on to watch work that should have ended, to say for how long there was an overlap.
const lookOn = 6 * time.Second

// wantNoOverlap fails the test where two that must not worked at once.
func (s *stage) wantNoOverlap() {
	s.t.Helper()
	all := s.spells()
	newest := all[len(all)-1].pod
	late := func(w spell) bool { return w.pod != newest && w.goesOn() }
	for deadline := now().Add(lookOn); slices.ContainsFunc(all, late) && now().Before(deadline); all = s.spells() {
		time.Sleep(journal.Tick)
	}
	for _, o := range overlaps(all) {
		s.t.Errorf("%s and %s worked at once for %s", o[0].pod, o[1].pod, min(o[0].to, o[1].to).Sub(max(o[0].from, o[1].from)))
	}
}

func TestOverlaps(t *testing.T) {
	command := func(pid int, from, to bootclock.Instant) spell {
		return spell{pod: "a", process: journal.Process{PID: pid, Kind: journal.Command}, from: from, to: to}
	}
	for name, c := range map[string]struct {
		a, b spell
		want int
	}{
		"one after the other":            {spell{pod: "a", from: 1, to: 5}, spell{pod: "b", from: 5, to: 6}, 0},
		"a nanosecond too early":         {spell{pod: "a", from: 1, to: 5}, spell{pod: "b", from: 4, to: 6}, 1},
		"one within the other":           {spell{pod: "a", from: 1, to: 5}, spell{pod: "b", from: 3, to: 4}, 1},
		"a single mark within the other": {spell{pod: "a", from: 1, to: 5}, spell{pod: "b", from: 4, to: 4}, 1},
		"in the other order":             {spell{pod: "a", from: 4, to: 6}, spell{pod: "b", from: 1, to: 5}, 1},
		"a process and its worker":       {command(1, 1, 5), spell{pod: "a", process: journal.Process{PID: 2, Kind: journal.Worker}, from: 3, to: 9}, 0},
		"two spells of one process":      {command(1, 1, 5), command(1, 4, 9), 0},
		"two commands of one pod":        {command(1, 1, 5), command(2, 4, 9), 1},
	} {
		if got := len(overlaps([]spell{c.a, c.b})); got != c.want {
			t.Errorf("%s: %d overlaps, want %d", name, got, c.want)
		}
	}
}
