//go:build linux

package fleet

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// Draw draws the world of a seed.
func Draw(seed uint64) Plan {
	d := drawer{rand.New(rand.NewPCG(seed, 0x5eed))}
	s := Plan{Seed: seed, Duration: pick(d, []weighted[time.Duration]{{3 * time.Second, 88}, {5 * time.Second, 7}, {15 * time.Second, 5}})}
	s.StopTimeout = pick(d, []weighted[time.Duration]{{30 * time.Second, 3}, {d.between(s.Duration/4, 2*s.Duration), 1}})
	n := pick(d, []weighted[int]{{2, 14}, {3, 40}, {4, 22}, {5, 12}, {6, 8}, {10, 30 / 10}, {25, 1}})
	if d.IntN(400) == 0 {
		n = 50
	}
	mixed := n < 10 && d.chance(0.12)
	for range n {
		s.Slots = append(s.Slots, d.slot(s))
	}
	if mixed {
		for i := range s.Slots {
			s.Slots[i].peer, s.Slots[i].release = d.chance(0.5), d.chance(0.5)
		}
		s.Slots[0].peer, s.Slots[1].peer = true, false
	}
	s.End = d.length(s.Duration, n)
	s.Faults = d.faults(s)
	return s
}

// drawer draws a plan from one generator, in a fixed order.
type drawer struct{ *rand.Rand }

type weighted[T any] struct {
	value  T
	weight int
}

func pick[T any](d drawer, of []weighted[T]) T {
	total := 0
	for _, w := range of {
		total += w.weight
	}
	at := d.IntN(total)
	for _, w := range of {
		if at -= w.weight; at < 0 {
			return w.value
		}
	}
	panic("unreachable")
}

func (d drawer) chance(p float64) bool { return d.Float64() < p }

// between draws a time from [low, high), to the nanosecond: no two things happen at one instant.
func (d drawer) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.Int64N(int64(high-low)))
}

func (d drawer) slot(s Plan) Slot {
	c := Slot{
		PPM: d.Int64N(20_001) - 10_000, skew: d.between(time.Second, 24*time.Hour), priority: elector.MaxPriority,
		work: pick(d, []weighted[workload]{{childWork, 4}, {processWork, 2}, {lockWork, 2}, {carelessWork, 1}, {noWork, 3}, {unseenWork, 2}}),
	}
	if d.chance(0.1) {
		c.priority = d.IntN(elector.MaxPriority + 1)
	}
	if c.work == noWork {
		return c
	}
	renew, half := s.config().RenewDeadline, s.config().KillMargin()/2
	c.health = d.chance(0.5) && c.work.locks()
	c.killLag = pick(d, []weighted[time.Duration]{{d.between(0, 5*time.Millisecond), 2}, {d.between(0, half), 1}, {half - d.between(0, time.Millisecond), 1}})
	c.stop = pick(d, []weighted[time.Duration]{
		{d.between(0, 50*time.Millisecond), 12}, {d.between(0, 2*time.Second), 6}, {d.between(renew, renew+15*time.Second), 1},
	})
	if c.work != unseenWork && c.work != lockWork && d.chance(0.2) {
		c.workers = d.between(0, 2*time.Second)
	}
	if c.work == unseenWork {
		c.reports = d.chance(0.5)
		if !c.reports && d.chance(0.3) {
			c.drain = c.stop*51/50 + d.between(0, 100*time.Millisecond) // by whichever clock
		}
	}
	return c
}

// length draws how long the faults go on: longer where a seed is cheap to run.
func (d drawer) length(lease time.Duration, n int) time.Duration {
	switch {
	case n > 10:
		return d.between(40*time.Second, 60*time.Second)
	case n == 10:
		return d.between(80*time.Second, 120*time.Second)
	case lease > 5*time.Second:
		return d.between(250*time.Second, 300*time.Second)
	}
	return d.between(120*time.Second, 200*time.Second)
}

// faults draws what happens: one thing after the other, sometimes several at about one time.
func (d drawer) faults(s Plan) (fs []Fault) {
	kinds := kindsFor(s)
	pause := s.Duration * 6 / 5
	if s.Duration > 5*time.Second {
		pause = s.Duration * 2 / 3
	}
	at := d.between(0, s.Duration*2)
	for ; at < s.End; at += time.Duration(d.ExpFloat64() * float64(pause)) {
		k := pick(d, kinds)
		f := Fault{At: at, Kind: k.name, Target: TheLeader, Length: d.between(time.Millisecond, s.Duration*3/2)}
		if d.chance(0.25) {
			f.Length = d.between(s.Duration, 4*s.Duration)
		}
		if d.chance(0.4) {
			f.Target = d.IntN(len(s.Slots))
		}
		if k.once {
			kinds = slices.DeleteFunc(kinds, func(w weighted[kind]) bool { return w.value.name == k.name })
		}
		fs = append(fs, f)
	}
	return fs
}

// chance draws depend on who draws, for what and when, and not on a stream: goroutines that run at one instant may draw in
// any order, and the history stays the same.
type chance struct{ seed uint64 }

// fraction returns a number drawn evenly from [0, 1).
func (c chance) fraction(who int, what string, at time.Duration) float64 {
	h := c.seed
	h = stir(h ^ uint64(who))
	for _, b := range []byte(what) {
		h = stir(h ^ uint64(b))
	}
	return float64(stir(h^uint64(at))>>11) / (1 << 53)
}

// oneOf draws one of several things.
func oneOf[T any](c chance, who int, what string, at time.Duration, of []T) T {
	return of[int(c.fraction(who, what, at)*float64(len(of)))]
}

// span returns a time drawn evenly from (0, most].
func (c chance) span(who int, what string, at, most time.Duration) time.Duration {
	return 1 + time.Duration(c.fraction(who, what, at)*float64(most-1))
}

// stir is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) after its golden-ratio step.
func stir(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
