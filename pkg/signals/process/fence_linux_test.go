package process

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// What ignores its stop is killed at the kill deadline with all that it has started, not before and not much later.
func TestFenceKillsTheFamilyInTime(t *testing.T) {
	name := unique(t)
	a := python(t, name, `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setsid()
    os.execv('/bin/sleep', ['sleep', '60'])
time.sleep(0.2)`)
	family, err := procfs.Read()
	if err != nil {
		t.Fatal(err)
	}
	members := family.Family(a.pid())
	if len(members) != 2 {
		t.Fatalf("the family is %v; want two", members)
	}
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second})
	r.looking()
	until := r.lead("1", 300*time.Millisecond)
	if got, want := r.guard.last().Kill, until.Add(500*time.Millisecond); got != want {
		t.Errorf("the guard kills at %s; want %s", got, want)
	}
	r.lose()
	if got := r.guard.last(); got.Kill != until.Add(500*time.Millisecond) || got.Signal != syscall.SIGCONT {
		t.Errorf("after the loss the guard has %+v; want the kill deadline and no signal that matters", got)
	}
	r.sees("a process that ignores its stop", sight.Running, sight.Running)
	r.within(5*time.Second, "all are gone", func() bool {
		gone := state(t, a.pid()).Over() && state(t, members[1].PID).Over()
		if gone && r.clock.Now().Before(until.Add(500*time.Millisecond)) {
			t.Fatal("killed before the kill deadline")
		}
		return gone
	})
	if err := r.stopsWithin(time.Second); err != nil {
		t.Errorf("killed, it does not count as stopped: %v", err)
	}
}

// Who wakes late kills at once.
func TestFencePastItsDeadlineStrikesAtOnce(t *testing.T) {
	name := unique(t)
	a := python(t, name, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: 200 * time.Millisecond})
	until := r.lead("1", 50*time.Millisecond)
	r.within(time.Second, "the kill deadline has passed", func() bool { return until.Add(100 * time.Millisecond).Before(r.clock.Now()) })
	r.looking() // frozen until now, as it were
	r.lose()
	r.within(2*time.Second, "it is killed", func() bool { return state(t, a.pid()).Over() })
}

// The fence kills what an ended process has left behind, and the guard knows of it.
func TestFenceKillsWhatIsLeftBehind(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	a := masterThatLeaves(t, name, dir)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second, StopTimeout: time.Minute})
	r.looking()
	r.lead("1", time.Minute)
	worker := r.worker(filepath.Join(dir, "worker"))
	until := r.hold(1500 * time.Millisecond)
	r.within(10*time.Second, "its process ends", func() bool { return state(t, a.pid()).Over() })
	want := state(t, worker).ID
	r.within(5*time.Second, "the guard has the worker to kill", func() bool {
		o := r.guard.last()
		return o.Kill == until.Add(500*time.Millisecond) && o.Signal == syscall.SIGCONT &&
			(slices.Contains(o.Kin, want) || o.ID == want)
	})
	r.sees("its worker works", sight.Running, sight.Running)
	r.within(10*time.Second, "the worker is killed", func() bool { return state(t, worker).Over() })
	if early := r.clock.Now().Sub(until); early < 500*time.Millisecond {
		t.Errorf("killed %s after the hold's end, want half a margin", early)
	}
	r.within(5*time.Second, "it is seen", func() bool { return r.State(true) == sight.Stopped })
}

// Who closes waits for the kill deadline.
func TestFinishWaitsForTheFence(t *testing.T) {
	name := unique(t)
	a := python(t, name, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second, StopTimeout: time.Minute})
	r.looking()
	r.Finish(t.Context()) // of nothing
	until := r.lead("1", time.Second)
	r.lose()
	r.Finish(t.Context())
	if late := r.clock.Now().Sub(until); late < 500*time.Millisecond || !state(t, a.pid()).Over() {
		t.Errorf("returned %s after the term's end, and it has ended: %v", late, state(t, a.pid()).Over())
	}
}
