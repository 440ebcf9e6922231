//go:build linux

package work

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Kind is what is done.
type Kind string

// The faults. Those of the first group are one thing each; those of the second are several in a certain order.
const (
	Cut            Kind = "line cut"
	Reset          Kind = "connections reset"
	SlowWrites     Kind = "slow writes"
	APIAway        Kind = "all lines cut"
	Unhealthy      Kind = "unhealthy"
	StepDown       Kind = "step-down"
	Terminated     Kind = "sidecar SIGTERM"
	SidecarKilled  Kind = "sidecar SIGKILL"
	GuardKilled    Kind = "guard SIGKILL"
	CommandKilled  Kind = "command SIGKILL"
	SidecarStopped Kind = "sidecar SIGSTOP"
	GuardStopped   Kind = "guard SIGSTOP"
	PodFrozen      Kind = "pod frozen"

	// HealedLate cuts the line, does Then to the replica, and heals the line near the end of the term's validity.
	HealedLate Kind = "line cut, healed near validUntil"
	// WhileDraining steps down and then, while the program stops, does Then.
	WhileDraining Kind = "step-down, and in the drain"
)

// none is a Then that does nothing.
const none Kind = ""

// Fault is one line of a schedule.
type Fault struct {
	Kind Kind
	// At is when it begins, from the start of the schedule; Length how long it lasts.
	At, Length time.Duration
	// Leader: it hits whoever leads when it begins. Else, and where nobody leads, it hits Index.
	Leader bool
	Index  int
	// Way is what of the line is cut.
	Way harness.Way
	// By is how late a slow write arrives, or is answered where Answer is set.
	By     time.Duration
	Answer bool
	// Then is what a composed fault does, Phase how far into its time: from 0 to 1.
	Then  Kind
	Phase float64
	// Offset is from validUntil to the healing.
	Offset time.Duration
	// Program: what the pod's end sends to the program, before the sidecar's SIGTERM or with it.
	Program end
}

// end is how a pod's end begins.
type end string

// The kubelet ends a native sidecar after the program, classic containers at once, and one whose liveness probe has
// failed alone.
const (
	programFirst end = "program first"
	allAtOnce    end = "all at once"
	sidecarOnly  end = "sidecar only"
)

func (f Fault) String() string {
	s := fmt.Sprintf("%9s  %s", f.At.Round(10*time.Millisecond), f.Kind)
	if f.Then != none {
		s += fmt.Sprintf(" (%s, phase %.2f)", f.Then, f.Phase)
	}
	if f.Way != 0 {
		s += map[harness.Way]string{harness.Requests: ", requests", harness.Replies: ", replies", harness.Both: ", both ways"}[f.Way]
	}
	if f.Kind == HealedLate {
		s += fmt.Sprintf(", %s from validUntil", f.Offset.Round(time.Millisecond))
	}
	if f.By > 0 {
		s += fmt.Sprintf(" by %s", f.By.Round(10*time.Millisecond))
	}
	if f.Program != "" {
		s += ", " + string(f.Program)
	}
	return s + fmt.Sprintf(", for %s", f.Length.Round(10*time.Millisecond))
}

// Lane is faults that come one after the other.
type Lane []Fault

// Schedule is what a seed gives. Its lanes are played at once: Main has everything, Side only faults of lines, writes
// and health, so that they meet those of Main.
type Schedule struct{ Main, Side Lane }

// Plan is what a schedule is drawn for.
type Plan struct {
	// Seed is what it is drawn from.
	Seed uint64
	// Span is how long faults may begin.
	Span time.Duration
	// D is the lease duration.
	D time.Duration
}

// weights say how often a kind comes.
var (
	mainWeights = map[Kind]int{
		Cut: 3, Reset: 1, SlowWrites: 1, APIAway: 1, Unhealthy: 2, StepDown: 3, Terminated: 2, SidecarKilled: 2, GuardKilled: 1,
		CommandKilled: 1, SidecarStopped: 2, GuardStopped: 2, PodFrozen: 2, HealedLate: 6, WhileDraining: 4,
	}
	sideWeights = map[Kind]int{Cut: 2, SlowWrites: 2, Unhealthy: 1, APIAway: 1}
	// order makes a map's keys come in one order.
	order = []Kind{
		Cut, Reset, SlowWrites, APIAway, Unhealthy, StepDown, Terminated, SidecarKilled, GuardKilled, CommandKilled,
		SidecarStopped, GuardStopped, PodFrozen, HealedLate, WhileDraining,
	}
)

// Draw makes the schedule.
func (p Plan) Draw() Schedule {
	return Schedule{
		Main: p.lane(rand.New(rand.NewPCG(p.Seed, 1)), mainWeights, 0.1, 0.6),
		Side: p.lane(rand.New(rand.NewPCG(p.Seed, 2)), sideWeights, 2, 5),
	}
}

// lane draws faults with calm of so many lease durations between them. The kinds come as often as their weights say
// before any comes more often.
func (p Plan) lane(chance *rand.Rand, weights map[Kind]int, least, most float64) Lane {
	var lane Lane
	var deck []Kind
	for at := p.times(chance, least, most); at < p.Span; {
		if len(deck) == 0 {
			for _, kind := range order {
				for range weights[kind] {
					deck = append(deck, kind)
				}
			}
			chance.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		f := p.fault(chance, deck[0])
		deck, f.At = deck[1:], at
		lane = append(lane, f)
		at += f.Length + p.times(chance, least, most)
	}
	return lane
}

func (p Plan) fault(chance *rand.Rand, kind Kind) Fault {
	f := Fault{
		Kind: kind, Leader: chance.Float64() < 0.8, Index: chance.IntN(replicas),
		Phase: chance.Float64(),
	}
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
		f.Then = pick(none, Unhealthy, Unhealthy, Unhealthy, StepDown, CommandKilled, SidecarStopped)
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
		f.Then = pick(Cut, Cut, SidecarStopped, GuardKilled, GuardStopped, SidecarKilled, CommandKilled, PodFrozen, Terminated)
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

// times draws between so many and so many lease durations.
func (p Plan) times(chance *rand.Rand, least, most float64) time.Duration {
	return time.Duration((least + (most-least)*chance.Float64()) * float64(p.D))
}
