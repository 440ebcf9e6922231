//go:build linux

package chaos

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The faults of a replica with a workload, besides those that a candidate has too. Killed, Terminated and Stopped are done to
// its sidecar.
const (
	SlowWrites    Kind = "slow writes"
	APIAway       Kind = "all lines cut"
	Unhealthy     Kind = "unhealthy"
	GuardKilled   Kind = "guard SIGKILL"
	CommandKilled Kind = "command SIGKILL"
	GuardStopped  Kind = "guard SIGSTOP"

	// HealedLate cuts the line, does Then to the replica, and heals the line near the end of the term's validity.
	HealedLate Kind = "line cut, healed near validUntil"
	// WhileDraining steps down and then, while the program stops, does Then.
	WhileDraining Kind = "step-down, and in the drain"
)

// end is how a pod's end begins.
type end string

// The kubelet ends a native sidecar after the program, classic containers at once, and one whose liveness probe has
// failed alone.
const (
	programFirst end = "program first"
	allAtOnce    end = "all at once"
	sidecarOnly  end = "sidecar only"
)

// chances say how often a kind comes in each lane.
var chances = []struct {
	kind       Kind
	main, side int
}{
	{Cut, 3, 2},
	{Reset, 1, 0},
	{SlowWrites, 1, 2},
	{APIAway, 1, 1},
	{Unhealthy, 2, 1},
	{StepDown, 3, 0},
	{Terminated, 2, 0},
	{Killed, 2, 0},
	{GuardKilled, 1, 0},
	{CommandKilled, 1, 0},
	{Stopped, 2, 0},
	{GuardStopped, 2, 0},
	{PodFrozen, 2, 0},
	{HealedLate, 6, 0},
	{WhileDraining, 4, 0},
}

// work draws the schedule of replicas with workloads: the first lane has everything, the second only faults of lines, writes
// and health, so that they meet those of the first.
func (p Plan) work() Schedule {
	var main, side []Kind
	for _, c := range chances {
		main = append(main, slices.Repeat([]Kind{c.kind}, c.main)...)
		side = append(side, slices.Repeat([]Kind{c.kind}, c.side)...)
	}
	return Schedule{p.lane(1, main, calm{0.1, 0.6}, p.workFault), p.lane(2, side, calm{2, 5}, p.workFault)}
}

func (p Plan) workFault(chance *rand.Rand, kind Kind) Fault {
	f := Fault{Kind: kind, Target: OurLeader}
	if chance.Float64() >= 0.8 {
		f.Target = Anyone
	}
	f.Index, f.Phase = chance.IntN(replicas), chance.Float64()
	skew := chance.Float64() // short ones come more often
	f.Length = time.Duration((0.2 + 1.8*skew*skew) * float64(p.D))
	way := []harness.Way{harness.Replies, harness.Replies, harness.Requests, harness.Both}[chance.IntN(4)]
	pick := func(kinds ...Kind) Kind { return kinds[chance.IntN(len(kinds))] }
	switch kind {
	case Cut:
		f.Way = way
	case SlowWrites:
		f.By, f.Answer = p.times(chance, 0.05, 1), chance.IntN(2) == 0
	case APIAway:
		f.Way, f.Length = harness.Both, p.times(chance, 0.2, 1.2)
	case Reset, StepDown, GuardKilled, CommandKilled:
		f.Length = p.times(chance, 0, 0.3)
	case Terminated:
		f.Program = []end{programFirst, allAtOnce, sidecarOnly}[chance.IntN(3)]
		f.Length = p.times(chance, 0, 1)
	case HealedLate:
		f.Way, f.Length = way, 0 // it lasts as long as the term
		f.Then = pick(none, Unhealthy, Unhealthy, Unhealthy, StepDown, CommandKilled, Stopped)
		switch chance.IntN(4) {
		case 0, 1: // while a program that does not stop may live
			f.Offset = p.times(chance, 0, 0.12)
		case 2:
			f.Offset = p.times(chance, -0.2, 0.1)
		case 3:
			f.Offset = p.times(chance, 0.1, 1)
		}
	case WhileDraining:
		f.Way = way
		f.Then = pick(Cut, Cut, Stopped, GuardKilled, GuardStopped, Killed, CommandKilled, PodFrozen, Terminated)
		f.Program = sidecarOnly
	}
	if f.Kind == WhileDraining && f.Then != Cut {
		f.Way = 0
	}
	if f.Kind == WhileDraining && f.Then != Terminated {
		f.Program = ""
	}
	return f
}
