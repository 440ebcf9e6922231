//go:build linux

package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// leaseName is the one Lease that every world turns on.
const (
	leaseName = "acme-1"
	namespace = "default"
)

// schedule is all that a world is made from: a value, drawn from a seed, that can be run again with parts left out.
type schedule struct {
	Seed     uint64
	Duration time.Duration
	Slots    []slot
	// StopTimeout is how long the sidecars wait for a workload that they see at work.
	StopTimeout time.Duration
	Faults      []fault
	End         time.Duration // every fault is over, and the fleet is left alone
}

// slot is one candidate.
type slot struct {
	Peer, Release bool // client-go's elector, with ReleaseOnCancel
	PPM           int64
	Skew          time.Duration
	Priority      int

	Work    workload
	Health  bool          // its health endpoint is looked at, too: it ends with the main process
	Stop    time.Duration // how long its main process takes to stop
	Workers time.Duration // how much longer its workers stay
	KillLag time.Duration // how long after its deadline the last killed process is gone
	Reports bool          // it reports its stop
	Drain   time.Duration // the operator's promise, --drain-timeout; 0: none
}

// fault is one thing that goes wrong, or that somebody does.
type fault struct {
	At, Length time.Duration
	Kind       string
	Target     int // a slot's number; whoever leads then
}

const theLeader = -1

func (s schedule) mixed() bool {
	return slices.ContainsFunc(s.Slots, func(s slot) bool { return s.Peer })
}

// config returns the timings of the world's sidecars: the defaults of its lease duration, and the grace that
// client-go's timings call for, their retry period + 3 times their renew deadline − their lease duration + 1 s.
func (s schedule) config() elector.Config {
	t := s.peerTimings()
	return elector.Config{
		Lease: leaseName, Namespace: namespace, Workload: "deployment/web", Identity: "set for each process",
		Duration: s.Duration, ForeignGrace: t.retry + 3*t.renew - t.lease + time.Second, Priority: elector.MaxPriority,
	}.WithDefaults()
}

type peerTimings struct{ lease, renew, retry time.Duration }

// peerTimings are client-go's defaults (15 s, 10 s, 2 s), in proportion to the world's lease duration. The deadline is a
// hair longer, as it would else fall on the instant of the fifth attempt, and a coin would decide between the two.
func (s schedule) peerTimings() peerTimings {
	return peerTimings{lease: s.Duration, renew: s.Duration*2/3 + 1234567, retry: s.Duration * 2 / 15}
}

// drawSchedule draws the world of a seed.
func drawSchedule(seed uint64) schedule {
	d := drawer{rand.New(rand.NewPCG(seed, 0x5eed))}
	s := schedule{Seed: seed, Duration: pick(d, []weighted[time.Duration]{{3 * time.Second, 88}, {5 * time.Second, 7}, {15 * time.Second, 5}})}
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
			s.Slots[i].Peer, s.Slots[i].Release = d.chance(0.5), d.chance(0.5)
		}
		s.Slots[0].Peer, s.Slots[1].Peer = true, false
	}
	s.End = d.length(s.Duration, n)
	s.Faults = d.faults(s)
	return s
}

// drawer draws from one generator, in one order.
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

func (d drawer) slot(s schedule) slot {
	c := slot{
		PPM: d.Int64N(20_001) - 10_000, Skew: d.between(time.Second, 24*time.Hour), Priority: elector.MaxPriority,
		Work: pick(d, []weighted[workload]{{childWork, 4}, {processWork, 2}, {lockWork, 2}, {carelessWork, 1}, {noWork, 3}, {unseenWork, 2}}),
	}
	if d.chance(0.1) {
		c.Priority = d.IntN(elector.MaxPriority + 1)
	}
	if c.Work == noWork {
		return c
	}
	renew, half := s.config().RenewDeadline, s.config().KillMargin()/2
	c.Health = d.chance(0.5) && c.Work.locks()
	c.KillLag = pick(d, []weighted[time.Duration]{{d.between(0, 5*time.Millisecond), 2}, {d.between(0, half), 1}, {half - d.between(0, time.Millisecond), 1}})
	c.Stop = pick(d, []weighted[time.Duration]{
		{d.between(0, 50*time.Millisecond), 12}, {d.between(0, 2*time.Second), 6}, {d.between(renew, renew+15*time.Second), 1},
	})
	if c.Work != unseenWork && c.Work != lockWork && d.chance(0.2) {
		c.Workers = d.between(0, 2*time.Second)
	}
	if c.Work == unseenWork {
		c.Reports = d.chance(0.5)
		if !c.Reports && d.chance(0.3) {
			c.Drain = c.Stop*51/50 + d.between(0, 100*time.Millisecond) // by whichever clock
		}
	}
	return c
}

// length is how long the faults go on: long where a seed is cheap to run.
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

// faults draws what happens, one thing after the other, and now and then a crowd of things at about one time.
func (d drawer) faults(s schedule) (fs []fault) {
	kinds := kindsFor(s)
	pause := s.Duration * 6 / 5
	if s.Duration > 5*time.Second {
		pause = s.Duration * 2 / 3
	}
	at := d.between(0, s.Duration*2)
	for ; at < s.End; at += time.Duration(d.ExpFloat64() * float64(pause)) {
		k := pick(d, kinds)
		f := fault{At: at, Kind: k.name, Target: theLeader, Length: d.between(time.Millisecond, s.Duration*3/2)}
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

// String prints the schedule for people.
func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d candidates, lease duration %v, stop timeout %v, faults until %v\n", s.Seed, len(s.Slots), s.Duration, s.StopTimeout, s.End)
	for i, c := range s.Slots {
		if c.Peer {
			fmt.Fprintf(&b, "  web-%d  client-go, ReleaseOnCancel %v\n", i, c.Release)
			continue
		}
		fmt.Fprintf(&b, "  web-%d  clock %+d ppm, priority %d; workload: %s, stops in %v + %v, killed in %v, health %v, reports %v, drain timeout %v\n",
			i, c.PPM, c.Priority, c.Work, c.Stop, c.Workers, c.KillLag, c.Health, c.Reports, c.Drain)
	}
	for _, f := range s.Faults {
		target := "the leader"
		if f.Target != theLeader {
			target = fmt.Sprintf("web-%d", f.Target)
		}
		fmt.Fprintf(&b, "  %14v  %s, %s, %v\n", f.At, f.Kind, target, f.Length)
	}
	return b.String()
}
