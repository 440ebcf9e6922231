//go:build linux

package apiserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

// habits are those of workers that are stopped at times between look and write, for longer than the Lease.
func habits() histories.Habits {
	return histories.Habits{
		Idle: 10 * time.Millisecond, Work: 60 * time.Millisecond, Travel: 10 * time.Millisecond,
		Freeze: duration, Frozen: 25,
	}
}

// TestGuardedRegister: leadership is exclusive, and no stale write gets through, though some were sent.
func TestGuardedRegister(t *testing.T) {
	t.Parallel()
	h := habits()
	h.Stray, h.Strays = duration/2, 25
	f, stop := newFleet(t, histories.NewRegister(true), h)
	f.disturbUntil(t, func() bool {
		tally := f.history.Tally()
		return tally.Terms >= *wanted && tally.Refused > 0
	})
	stop()
	history := f.history.Operations()
	flags := fmt.Sprintf("-seed=%d", *seed)
	histories.WantKept(t, histories.Lock, history, flags)
	histories.WantKept(t, histories.Fencing, history, flags)
	t.Log(histories.Count(history))
}

// TestUnguardedRegister: leadership is exclusive all the same, and the register is overwritten by workers that wake.
func TestUnguardedRegister(t *testing.T) {
	t.Parallel()
	f, stop := newFleet(t, histories.NewRegister(false), habits())
	f.disturbUntil(t, func() bool { return f.history.Tally().Terms >= *wanted && f.register.Stale() > 2 })
	stop()
	history := f.history.Operations()
	histories.WantKept(t, histories.Lock, history, fmt.Sprintf("-seed=%d", *seed))
	if histories.Judge(t, histories.Fencing, history) {
		t.Errorf("%d stale writes were accepted, and nothing is found wrong", f.register.Stale())
	}
	t.Logf("%v; %d stale writes accepted", histories.Count(history), f.register.Stale())
}

// disturbUntil goes on until enough has happened.
func (f *fleet) disturbUntil(t *testing.T, enough func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Duration(*wanted)*duration + 3*time.Minute); !enough(); {
		if time.Now().After(end) {
			t.Fatalf("too little happened: %v", f.history.Tally())
		}
		f.disturb(t)
	}
}
