//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The faults of a candidate: its line to the API server, its process, its pod, its clock.
const (
	CutRequests Kind = "requests cut"
	CutReplies  Kind = "replies cut"
	Cut         Kind = "line cut"
	Delayed     Kind = "line delayed"
	Reset       Kind = "connections reset"
	HalfOpen    Kind = "connections half open"
	Stopped     Kind = "SIGSTOP"
	PodFrozen   Kind = "pod frozen"
	Killed      Kind = "SIGKILL"
	Terminated  Kind = "SIGTERM"
	StepDown    Kind = "step-down"
	WallStep    Kind = "wall clock stepped"
)

// The faults of the store. The last three are done to our Lease alone: client-go's elector takes a Lease at once
// that somebody deleted or blanked, which is known and documented.
const (
	EtcdKilled   Kind = "etcd killed"
	APIKilled    Kind = "API server killed"
	APIFrozen    Kind = "API server frozen"
	Storm        Kind = "storm of 429 and 5xx"
	TokenRotated Kind = "tokens rotated"
	LeaseDeleted Kind = "Lease deleted and applied again"
	LeaseBlanked Kind = "Lease blanked by hand"
	LeaseEdited  Kind = "Lease edited by hand"
)

// effect says why a fault may cost a leader its lead.
type effect int

const (
	// disturbs: renewals fail while it lasts. A short one is no reason to lose the lead.
	disturbs effect = iota
	// ends: the leader is gone, asked to go, or has lost its Lease.
	ends
	// harmless: no reason at all.
	harmless
)

// trait is what the schedule and the report must know of a kind.
type trait struct {
	kind Kind
	// store: it hits all candidates at once.
	store bool
	// effect is why the lead may be lost.
	effect effect
	// shortest and longest are how long it lasts, in lease durations.
	shortest, longest float64
	// gentle is the longest that a soak lasts it, in lease durations; below 0: a soak has no such fault. What keeps a
	// process from growing old is none for a soak.
	gentle float64
}

var traits = []trait{
	{kind: CutRequests, shortest: 0.1, longest: 1.6, gentle: 0.2},
	{kind: CutReplies, shortest: 0.1, longest: 1.6, gentle: 0.2},
	{kind: Cut, shortest: 0.1, longest: 1.6, gentle: 0.2},
	{kind: Delayed, shortest: 0.2, longest: 2, gentle: 0.2},
	{kind: Reset, effect: harmless},
	{kind: HalfOpen, effect: harmless},
	{kind: Stopped, shortest: 0.1, longest: 2, gentle: 0.2},
	{kind: PodFrozen, shortest: 0.1, longest: 2, gentle: 0.2},
	{kind: Killed, effect: ends, longest: 1.2, gentle: -1},
	{kind: Terminated, effect: ends, longest: 0.3, gentle: -1},
	{kind: StepDown, effect: ends},
	{kind: WallStep, effect: harmless, gentle: -1},
	{kind: EtcdKilled, store: true, longest: 0.8, gentle: -1},
	{kind: APIKilled, store: true, longest: 0.8, gentle: -1},
	{kind: APIFrozen, store: true, shortest: 0.1, longest: 1.2, gentle: 0.2},
	{kind: Storm, store: true, shortest: 0.2, longest: 1.5, gentle: 0.3},
	{kind: TokenRotated, store: true, effect: disturbs},
	{kind: LeaseDeleted, store: true, effect: ends, gentle: -1},
	{kind: LeaseBlanked, store: true, effect: ends, gentle: -1},
	{kind: LeaseEdited, store: true, effect: harmless},
}

// traitOf returns what is known of a kind.
func traitOf(k Kind) trait {
	for _, t := range traits {
		if t.kind == k {
			return t
		}
	}
	panic(fmt.Sprintf("no trait for the fault %q", k)) // a name that nobody has listed
}

// candidates is how many there are of each side.
const candidates = 3

var (
	candidateCalm = calm{0.2, 1.2}
	storeCalm     = calm{1.5, 4}
	// soakCalm is that of both lanes of a soak.
	soakCalm = calm{1, 4}
)

// elections draws the schedule of two elections: a lane of the candidates and one of the store.
func (p Plan) elections() Schedule {
	if p.Gentle {
		return Schedule{p.lane(1, p.deck(false), soakCalm, p.electionFault), p.lane(2, p.deck(true), soakCalm, p.electionFault)}
	}
	return Schedule{p.lane(1, p.deck(false), candidateCalm, p.electionFault), p.lane(2, p.deck(true), storeCalm, p.electionFault)}
}

// deck returns the kinds of a lane.
func (p Plan) deck(store bool) []Kind {
	var deck []Kind
	for _, t := range traits {
		if t.store == store && (!p.Gentle || t.gentle >= 0) {
			deck = append(deck, t.kind)
		}
	}
	return deck
}

func (p Plan) electionFault(chance *rand.Rand, kind Kind) Fault {
	t := traitOf(kind)
	longest := t.longest
	if p.Gentle {
		longest = min(longest, t.gentle)
	}
	f := Fault{
		Kind: kind, Length: p.times(chance, min(t.shortest, longest), longest),
		Target: []Target{OurLeader, TheirLeader, Anyone}[chance.IntN(3)], Index: chance.IntN(candidates),
	}
	switch kind {
	case CutRequests:
		f.Way = harness.Requests
	case CutReplies:
		f.Way = harness.Replies
	case Cut:
		f.Way = harness.Both
	case Delayed:
		f.By = p.times(chance, 0.02, min(0.5, longest))
	case WallStep:
		f.By = time.Duration((2*chance.Float64() - 1) * float64(time.Hour))
	case Storm:
		f.Share = 0.3 + 0.7*chance.Float64()
	}
	return f
}
