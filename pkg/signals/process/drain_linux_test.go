package process

import (
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestDrainOfATermThatWasNeverTold: a restarted sidecar resumes a term only to hand it over, and no level says that it leads. The
// process works for that term, whatever this signal has told it, and has not stopped before it has ended or is parked.
func TestDrainOfATermThatWasNeverTold(t *testing.T) {
	for _, c := range []struct {
		how     string
		body    string
		cfg     Config
		plain   sight.State // while it lives, of a pod that does not end
		standby bool        // it was told its loss before
	}{
		{"told to end", heedsNoTerm, Config{OnLost: term}, sight.Running, false},
		{"told to end before", heedsNoTerm, Config{OnLost: term}, sight.Running, true},
		{"told its loss", catchesUsr, Config{OnElected: usr1, OnLost: usr2}, sight.Unknown, false},
		{"told its loss before", catchesUsr, Config{OnElected: usr1, OnLost: usr2}, sight.Unknown, true},
		{"told no loss", catchesUsr, Config{OnElected: usr1}, sight.Unknown, false},
		{"fenced", ignoresTerm, Config{OnLost: term, Fence: true, KillMargin: time.Minute, StopTimeout: time.Minute}, sight.Running, false},
	} {
		t.Run(c.how, func(t *testing.T) {
			name := unique(t)
			a := python(t, name, c.body)
			c.cfg.Target.Name = name
			r := newRig(t, c.cfg)
			if c.standby {
				r.lose()
			}
			r.hold(time.Minute)
			r.sees("it lives", c.plain, sight.Running)
			r.hold(2 * time.Minute)
			r.sees("the hold was renewed", c.plain, sight.Running)
			a.end()
			r.sees("it has ended", sight.Stopped, sight.Stopped)
		})
	}
}

// A process that is found only in such a handover counts, too: before, nothing is known of the work.
func TestProcessIsFoundInADrain(t *testing.T) {
	name := unique(t)
	first := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	first.end()
	r.lose()
	r.within(5*time.Second, "its end is seen", func() bool { r.lose(); return r.machine.held == nil })
	r.hold(time.Minute)
	r.sees("nobody is there", sight.Unknown, sight.Unknown)
	a := python(t, name, catchesUsr)
	r.hold(time.Minute)
	r.sees("one has come", sight.Unknown, sight.Running)
	a.end()
	r.sees("it has ended", sight.Stopped, sight.Stopped)
}

// TestParkedInADrainOfATermThatWasNeverTold has stopped once it is parked, and not before.
func TestParkedInADrainOfATermThatWasNeverTold(t *testing.T) {
	name := unique(t)
	python(t, name, "")
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: cont, OnLost: stop})
	r.hold(time.Minute)
	r.within(5*time.Second, "it is parked", func() bool { return r.State(false) == sight.Stopped })
	if err := procfs.Send(r.machine.held.ID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.within(5*time.Second, "it works on", func() bool { return r.State(false) == sight.Running })
}

// TestKillDeadlineOfATermThatWasNeverTold is the planned one (I11): it moves with the hold, up to the stop timeout. That of a
// standby's process is not.
func TestKillDeadlineOfATermThatWasNeverTold(t *testing.T) {
	const margin, timeout = 10 * time.Second, time.Minute
	for _, late := range []bool{false, true} { // the process comes after the first level
		name := unique(t)
		if !late {
			python(t, name, ignoresTerm)
		}
		r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: margin, StopTimeout: timeout})
		guards := func(until leadership.Leadership) {
			t.Helper()
			if got, want := r.guard.last().Kill, until.ValidUntil.Add(margin/2); got != want {
				t.Errorf("late %v: the guard kills at %s; want %s", late, got, want)
			}
		}
		began := r.clock.Now()
		until := r.hold(20 * time.Second)
		if late {
			python(t, name, ignoresTerm)
		}
		if !late {
			guards(leadership.Leadership{ValidUntil: until})
		}
		guards(leadership.Leadership{ValidUntil: r.hold(30 * time.Second)})
		r.hold(5 * time.Minute)
		if limit := r.guard.last().Kill.Sub(began); limit < timeout || limit > timeout+10*time.Second {
			t.Errorf("late %v: the guard kills %s after the handover's begin; want the stop timeout, a minute", late, limit)
		}
		r.machine.kill = 0 // the test's end is not the workload's
	}
}

// A standby's process that is told to end holds nothing up: it gets half a margin, and a term that follows has its own handover.
func TestStandbyIsNoDrain(t *testing.T) {
	name := unique(t)
	a := python(t, name, ignoresTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Minute, StopTimeout: time.Minute})
	before := r.clock.Now()
	r.lose()
	if got := r.guard.last().Kill.Sub(before); got < 30*time.Second || got > 40*time.Second {
		t.Errorf("killed %s after it was told; want half a margin, 30 s", got)
	}
	a.end()
	r.lead("1", time.Minute)
	python(t, name, ignoresTerm)
	r.lead("1", time.Minute)
	r.sees("leading", sight.Running, sight.Running)
	r.machine.kill = 0
}
