package histories_test

import (
	"fmt"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

// perHistory is how many terms one history has: enough for every fault, few enough to be judged in an instant.
const perHistory = 40

// each plays as many histories of a kind as make up the terms asked for, and hands each to judge, up to the first
// that fails the test.
func each(t *testing.T, kind run, judge func(flags string, o outcome)) {
	t.Helper()
	var sum histories.Tally
	number := max(5, (*wanted+perHistory-1)/perHistory)
	for i := 0; i < number && !t.Failed(); i++ {
		o, flags := kind.numbered(t, i)
		sum = sum.Add(histories.Count(o.operations))
		judge(flags, o)
	}
	t.Logf("up to %d histories: %v", number, sum)
}

// numbered plays the history of that number, and returns with it the flags that play it again.
func (r run) numbered(t *testing.T, i int) (o outcome, flags string) {
	t.Helper()
	r.seed, r.terms = *seed+uint64(i), perHistory
	return r.play(t), fmt.Sprintf("-seed=%d", r.seed)
}

// TestGuardedRegister: whatever happens to sidecars, nodes, lines and apps, leadership is exclusive and the register
// that compares tokens takes no stale write.
func TestGuardedRegister(t *testing.T) {
	t.Parallel()
	refused := 0
	each(t, run{guarded: true, delayed: true}, func(flags string, o outcome) {
		histories.WantKept(t, histories.Lock, o.operations, flags)
		histories.WantKept(t, histories.Fencing, o.operations, flags)
		refused += histories.Count(o.operations).Refused
	})
	if refused == 0 {
		t.Error("no write was refused: the guard was not put to the test")
	}
}

// TestUnguardedRegister: without the comparing, apps that were delayed between look and write overwrite their
// successors' work, though leadership itself is exclusive all the same. That is what the token is for.
func TestUnguardedRegister(t *testing.T) {
	t.Parallel()
	violated, stale := 0, 0
	each(t, run{delayed: true}, func(flags string, o outcome) {
		histories.WantKept(t, histories.Lock, o.operations, flags)
		kept := histories.Judge(t, histories.Fencing, o.operations)
		if !kept {
			violated++
		}
		if !kept && o.stale == 0 {
			t.Errorf("violated, though the register took no stale write (play it again with %s)", flags)
		}
		stale += o.stale
	})
	if violated == 0 {
		t.Error("no history was violated: want at least one, or nobody would need the token")
	}
	t.Logf("without the guard: %d histories violated, %d stale writes accepted", violated, stale)
}

// TestPromptApps: apps whose writes are done within the kill margin do not need the guard, through all the faults of
// sidecars, nodes and lines.
func TestPromptApps(t *testing.T) {
	t.Parallel()
	each(t, run{}, func(flags string, o outcome) {
		histories.WantKept(t, histories.Lock, o.operations, flags)
		histories.WantKept(t, histories.Fencing, o.operations, flags)
		if o.stale > 0 {
			t.Errorf("%d stale writes (play it again with %s)", o.stale, flags)
		}
	})
}

// TestSlowClockIsSeen is the control: boot clocks at half the speed, far beyond the assumption of 1 %, keep leaders in
// office past the next one's start, and the lock specification sees it.
func TestSlowClockIsSeen(t *testing.T) {
	t.Parallel()
	const most = 50
	for i := range most {
		o, flags := run{guarded: true, rate: 0.5}.numbered(t, i)
		if !histories.Judge(t, histories.Lock, o.operations) {
			t.Logf("seen in history %d (%s)", i+1, flags)
			return
		}
	}
	t.Errorf("nothing is wrong in %d histories: the checker is blind", most)
}
