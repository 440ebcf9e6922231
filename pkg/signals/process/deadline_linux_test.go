package process

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// TestKillDeadlineIsTheTerms is I11: the fence strikes so long after the term's end, whenever the loss is told.
func TestKillDeadlineIsTheTerms(t *testing.T) {
	name := unique(t)
	python(t, name, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Minute})
	until := r.lead("1", time.Minute)
	r.lose()
	if got, want := r.guard.last().Kill, until.Add(30*time.Second); got != want {
		t.Errorf("the guard kills at %v, want %v: half the kill margin after the term's end", got, want)
	}
}

// fallenClock is behind the machine's by as much.
type fallenClock struct {
	bootclock.System
	by time.Duration
}

func (c fallenClock) Now() bootclock.Instant { return c.System.Now().Add(-c.by) }

func (c fallenClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

// TestGainLeavesALossItsTime makes the wait between the two longer than any slow machine takes without it: the clock
// falls back by 3 s after the loss.
func TestGainLeavesALossItsTime(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	r.cfg.Clock = fallenClock{by: 3 * time.Second}
	before := time.Now()
	r.lead("1", time.Minute)
	if spaced := time.Since(before); spaced < 2500*time.Millisecond {
		t.Errorf("a gain followed a loss after %v; want about 3 s, by a clock that fell back so far", spaced)
	}
	a.says(t, "SIGUSR2")
	a.says(t, "SIGUSR1")
}
