package elector

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// TestStandbysSuspectOneAfterAnother: all standbys of a leader that died have heard nothing since the same instant. Their reads are
// spread over half a renew interval, none comes before two intervals and a second, and the takeover does not wait for them.
func TestStandbysSuspectOneAfterAnother(t *testing.T) {
	const standbys, slots = 60, 6
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		leader := f.join("web-0_a", func(*Config, *parts) {})
		f.leader(20 * time.Second)
		var (
			mu    sync.Mutex
			reads []time.Time
		)
		for i := range standbys {
			m := f.join(naming.Identity(fmt.Sprintf("web-%d_b", i+1)), func(*Config, *parts) {})
			m.store.Faults(func(v memory.Verb) memory.Fate {
				mu.Lock()
				defer mu.Unlock()
				if v == memory.Get {
					reads = append(reads, time.Now())
				}
				return memory.Fate{}
			})
		}
		renewals := leader.cfg.RenewInterval
		time.Sleep(5 * renewals) // all follow
		var died time.Time
		for r, err := leader.store.Get(t.Context()); ; time.Sleep(time.Millisecond) { // the instant of a renewal
			now, errNow := leader.store.Get(t.Context())
			if err != nil || errNow != nil {
				t.Fatal(err, errNow)
			}
			if now.Version != r.Version {
				died = time.Now()
				break
			}
		}
		mu.Lock()
		reads = nil
		mu.Unlock()
		leader.store.Blackhole(true)

		first, spread := 2*renewals+time.Second, renewals/2
		time.Sleep(first + spread + 100*time.Millisecond)
		mu.Lock()
		count := map[int]int{}
		for _, at := range reads {
			since := at.Sub(died)
			if since < first-10*time.Millisecond {
				t.Errorf("a read %v after the last renewal, want none before %v", since, first)
			}
			count[int((since-first)*slots/spread)]++
		}
		if len(reads) != standbys {
			t.Errorf("%d reads, want one of each of %d standbys", len(reads), standbys)
		}
		mu.Unlock()
		for slot, n := range count { // one slot's share is 10; 25 or more come by chance once in 10,000 runs
			if n >= 25 {
				t.Errorf("%d of %d standbys suspect their watch in sixth %d of the spread, want about %d", n, standbys, slot, standbys/slots)
			}
		}
		t.Logf("by sixths of %v: %v", spread, count)

		time.Sleep(time.Until(died.Add(leader.cfg.Duration + 60*time.Millisecond)))
		if l := f.leaders(); len(l) != 1 {
			t.Errorf("%v after the last renewal lead: %v, want one", time.Since(died), l)
		}
	})
}

// TestTurnsOfACrowd plays the races for a Lease with the product's own draws: how many takes are refused, and how long the first one
// takes to reach the store, by the number of candidates. A hop is from one process to another, 2 to 8 ms. A lag is what it takes to send and
// receive an event, where all events share processors: the last of N candidates hears of a write N lags later than the first.
func TestTurnsOfACrowd(t *testing.T) {
	const rounds = 2000
	for _, c := range []struct {
		name string
		draw func(u float64) time.Duration
		lag  time.Duration
		most map[int]float64       // refused takes on average, by the number of candidates
		wait map[int]time.Duration // of the first take, half of the rounds
	}{
		{
			"release", turn, 0,
			map[int]float64{3: 1, 10: 7, 50: 36, 200: 140, 500: 330},
			map[int]time.Duration{3: 13e6, 10: 10e6, 50: 8e6, 200: 7e6, 500: 7e6},
		},
		{
			"expiry", spread, 0,
			map[int]float64{3: 1, 10: 4, 50: 5, 200: 6, 500: 7},
			map[int]time.Duration{3: 46e6, 10: 38e6, 50: 28e6, 200: 20e6, 500: 15e6},
		},
		{
			"expiry, where the API server and its clients need 60 µs for each event", spread, 60 * time.Microsecond,
			map[int]float64{3: 1, 10: 4, 50: 7, 200: 20, 500: 110},
			map[int]time.Duration{3: 46e6, 10: 38e6, 50: 28e6, 200: 25e6, 500: 25e6},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same races in each run
			for _, n := range slices.Sorted(maps.Keys(c.most)) {
				refused, waits := 0, make([]time.Duration, rounds)
				for round := range waits {
					var lost int
					waits[round], lost = race(chance, n-1, c.draw, c.lag)
					refused += lost
				}
				slices.Sort(waits)
				mean, half := float64(refused)/rounds, waits[rounds/2]
				t.Logf("%3d candidates, one of which led: %.1f refused takes; the first take reaches the store after %v (p50), %v (p90)",
					n, mean, half.Round(100*time.Microsecond), waits[rounds*9/10].Round(100*time.Microsecond))
				if mean > c.most[n] || half > c.wait[n] {
					t.Errorf("%d candidates: %.1f refused takes, the first after %v: want at most %v, %v", n, mean, half, c.most[n], c.wait[n])
				}
			}
		})
	}
}

// race returns when the first of n candidates' takes reaches the store, and how many takes come after it, from candidates that had not
// yet heard of the first.
func race(chance *rand.Rand, n int, draw func(float64) time.Duration, lag time.Duration) (first time.Duration, refused int) {
	hop := func() time.Duration { return between(2*time.Millisecond, 8*time.Millisecond, chance.Float64()) }
	sent, arrived := make([]time.Duration, n), make([]time.Duration, n)
	for i, place := range chance.Perm(n) {
		sent[i] = hop() + time.Duration(place)*lag + draw(chance.Float64())
		arrived[i] = sent[i] + hop()
	}
	first = slices.Min(arrived)
	for i, place := range chance.Perm(n) {
		if heard := first + hop() + time.Duration(place)*lag; arrived[i] > first && sent[i] < heard {
			refused++
		}
	}
	return first, refused
}
