//go:build linux

package bench

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// reach notes how long it takes until a write has reached the candidates. Those that it has not reached yet go on to take the Lease: how
// many takes are refused depends on it. All candidates share this machine with the API server, which a cluster's do not.
type reach struct {
	mu     sync.Mutex
	noting bool
	sent   map[lease.Version]time.Time // when the take that became this version was sent
	heard  map[lease.Version][]time.Time
}

// begin forgets what was noted, and notes from now on.
func (r *reach) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noting, r.sent, r.heard = true, map[lease.Version]time.Time{}, map[lease.Version][]time.Time{}
}

// took notes a take that was applied.
func (r *reach) took(version lease.Version, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noting {
		r.sent[version] = at
	}
}

// hears notes an event that a candidate's watch has delivered.
func (r *reach) hears(version lease.Version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noting {
		r.heard[version] = append(r.heard[version], time.Now())
	}
}

// end stops the noting, and returns when the first take's event reached half and nine tenths of those that it has reached, from the
// sending of the take. False: no take was applied, or no watch has shown it.
func (r *reach) end() (half, most time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noting = false
	first := time.Time{}
	var heard []time.Time
	for version, at := range r.sent {
		if first.IsZero() || at.Before(first) {
			first, heard = at, r.heard[version]
		}
	}
	if len(heard) == 0 {
		return 0, 0, false
	}
	slices.SortFunc(heard, time.Time.Compare)
	return heard[len(heard)/2].Sub(first), heard[len(heard)*9/10].Sub(first), true
}

// reached is what [reach] has found for some events.
type reached struct{ half, most []time.Duration }

func (r *reached) add(half, most time.Duration, ok bool) {
	if ok {
		r.half, r.most = append(r.half, half), append(r.most, most)
	}
}

// medians returns those of both.
func (r *reached) medians() (half, most time.Duration) { return median(r.half), median(r.most) }

// String gives the medians.
func (r *reached) String() string {
	half, most := r.medians()
	return fmt.Sprintf("the next leader's take has reached half of the candidates after %s, nine tenths after %s", shown(half), shown(most))
}
