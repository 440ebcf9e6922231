//go:build linux

package chaos

import (
	"testing"
	"time"
)

// Timing says when a leader has reason to lose the lead.
type Timing struct {
	// D is the lease duration.
	D time.Duration
	// Memory is how far back a disturbance can matter: the renew deadline, and the attempt that was under way.
	Memory time.Duration
	// Spare is how long renewals may fail within Memory before the lead may be lost.
	Spare time.Duration
}

// TimingOf reckons with the documented defaults for a lease duration D: the renew deadline V = 2D/3, the renew
// interval R = D/5 but at least 1 s, the attempt's timeout A = min(2.5 s, V/4), and 0.5 s before the next attempt. A
// renewal may be R old as a disturbance begins and the attempt that its end finds under way may hang for A: what is
// left of V is spare. For D = 15 s that is 4 s, for D = 3 s nothing.
func TimingOf(d time.Duration) Timing {
	v, r := d*2/3, max(d/5, time.Second)
	a := min(2500*time.Millisecond, v/4)
	return Timing{D: d, Memory: v + a, Spare: max(0, v-r-a-500*time.Millisecond)}
}

func TestTimingOf(t *testing.T) {
	if got, want := TimingOf(15*time.Second), (Timing{D: 15 * time.Second, Memory: 12500 * time.Millisecond, Spare: 4 * time.Second}); got != want {
		t.Errorf("D = 15 s: %+v, want %+v", got, want)
	}
	if got := TimingOf(3 * time.Second); got.Spare != 0 || got.Memory != 2500*time.Millisecond {
		t.Errorf("D = 3 s: %+v, want nothing to spare and 2.5 s of memory", got)
	}
}
