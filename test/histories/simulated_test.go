//go:build linux

package histories_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
	"github.com/lease-sidecar/lease-sidecar/test/simulate/fleet"
)

var (
	wanted = flag.Int("terms", 240, "how many terms each kind of history has, at least; never fewer than 200")
	seed   = flag.Uint64("seed", 1, "the seed of the first simulated history; the next has the next")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run is a kind of history: workers beside a simulated fleet.
type run struct {
	guarded bool  // the register compares tokens
	delayed bool  // apps freeze between look and write, and writes stray
	ppm     int64 // of every other machine's clock; 0: within 1 %, as drawn
}

// outcome is one history of a kind.
type outcome struct {
	operations []histories.Operation
	stale      int    // writes that the register accepted though their token was low
	flags      string // that play it again
}

// play plays the history of a number.
func (r run) play(t *testing.T, i int) outcome {
	t.Helper()
	number := *seed + uint64(i)
	plan := fleet.Draw(number)
	for i := range plan.Slots {
		if i%2 == 0 && r.ppm != 0 {
			plan.Slots[i].PPM = r.ppm
		}
	}
	history, register := histories.NewHistory(clocktest.Bubble{}.Now), histories.NewRegister(r.guarded)
	habits := habitsFor(plan.Duration, r.delayed)
	result := fleet.Play(t, plan.WithWorkers(func(p *fleet.Pod) fleet.Worker {
		return worker{&histories.App{
			Client: p.Number(), View: histories.NewView(p.Number(), history, p.Now, p.Document), Register: register, History: history,
			Drained: p.Drained, Habits: habits, Rand: rand.New(rand.NewPCG(number, uint64(p.Number()))),
		}}
	}), fleet.Counts)
	o := outcome{history.Operations(), register.Stale(), fmt.Sprintf("-seed=%d", number)}
	if r.ppm == 0 && result.Failed() {
		t.Errorf("the fleet's own rules (play it again with %s):\n%s", o.flags, result)
	}
	return o
}

// worker is an App beside a pod.
type worker struct{ *histories.App }

// Look implements [fleet.Worker].
func (w worker) Look() { w.View.Look() }

// habitsFor returns the apps' habits. An app that is not delayed has its writes done well within the kill margin, even
// those that it began in the last instant of its validity.
func habitsFor(duration time.Duration, delayed bool) histories.Habits {
	h := histories.Habits{
		Idle: 20 * time.Millisecond, Work: duration / 8, Travel: elector.Config{Duration: duration}.WithDefaults().KillMargin() / 3,
		Watch: 25 * time.Millisecond, Read: duration,
	}
	if delayed {
		h.Freeze, h.Frozen = duration, 25
		h.Stray, h.Strays = duration/2, 25
	}
	return h
}

// each plays histories of a kind, at least five and as many as make up the terms asked for, and hands each to judge, up to the
// first that fails the test.
func each(t *testing.T, kind run, judge func(o outcome)) {
	t.Helper()
	var sum histories.Tally
	i := 0
	for ; (i < 5 || sum.Terms < max(200, *wanted)) && !t.Failed(); i++ {
		o := kind.play(t, i)
		sum = sum.Add(histories.Count(o.operations))
		judge(o)
	}
	t.Logf("%d histories: %v", i, sum)
}

// TestGuardedRegister: whatever happens to sidecars, machines, networks and apps, leadership is exclusive and the register
// that compares tokens accepts no stale write.
func TestGuardedRegister(t *testing.T) {
	t.Parallel()
	refused := 0
	each(t, run{guarded: true, delayed: true}, func(o outcome) {
		histories.WantKept(t, histories.Lock, o.operations, o.flags)
		histories.WantKept(t, histories.Fencing, o.operations, o.flags)
		refused += histories.Count(o.operations).Refused
	})
	if refused == 0 {
		t.Error("no write was refused: the guard was not put to the test")
	}
}

// TestUnguardedRegister: without the comparison, apps that were delayed between look and write overwrite their
// successors' work, though leadership itself is exclusive all the same. That is what the token is for.
func TestUnguardedRegister(t *testing.T) {
	t.Parallel()
	violated, stale := 0, 0
	each(t, run{delayed: true}, func(o outcome) {
		histories.WantKept(t, histories.Lock, o.operations, o.flags)
		kept := histories.Judge(t, histories.Fencing, o.operations)
		if !kept {
			violated++
		}
		if !kept && o.stale == 0 {
			t.Errorf("violated, though the register accepted no stale write (play it again with %s)", o.flags)
		}
		stale += o.stale
	})
	if violated == 0 {
		t.Error("no history was violated: want at least one, or nobody would need the token")
	}
	t.Logf("without the guard: %d histories violated, %d stale writes accepted", violated, stale)
}

// TestPromptApps: apps whose writes are done within the kill margin do not need the guard, through all the faults of
// sidecars, machines and networks.
func TestPromptApps(t *testing.T) {
	t.Parallel()
	each(t, run{}, func(o outcome) {
		histories.WantKept(t, histories.Lock, o.operations, o.flags)
		histories.WantKept(t, histories.Fencing, o.operations, o.flags)
		if o.stale > 0 {
			t.Errorf("%d stale writes (play it again with %s)", o.stale, o.flags)
		}
	})
}

// TestSlowClockIsSeen is the control: boot clocks at half the speed, far beyond the assumption of 1 %, keep leaders in
// office past the next one's start, and the lock specification sees it.
func TestSlowClockIsSeen(t *testing.T) {
	t.Parallel()
	const most = 50
	for i := range most {
		o := run{guarded: true, ppm: -500_000}.play(t, i)
		if !histories.Judge(t, histories.Lock, o.operations) {
			t.Logf("seen in history %d (%s)", i+1, o.flags)
			return
		}
	}
	t.Errorf("nothing is wrong in %d histories: the checker is blind", most)
}
