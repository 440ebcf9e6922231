//go:build linux

package chaos

import (
	"fmt"
	"time"
)

// Kind is what is broken.
type Kind string

// The faults of a candidate: its line to the API server, its process, its pod, its clock.
const (
	CutRequests Kind = "requests cut"
	CutReplies  Kind = "replies cut"
	CutBoth     Kind = "line cut"
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
	{kind: CutBoth, shortest: 0.1, longest: 1.6, gentle: 0.2},
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

// Target says which candidate a fault hits, of ours and of theirs alike.
type Target string

// Leaders are looked up when the fault comes: a leader of one side is mostly a standby on the other.
const (
	OurLeader   Target = "our leader"
	TheirLeader Target = "their leader"
	Anyone      Target = "anyone"
)

// Fault is one line of a schedule.
type Fault struct {
	Kind Kind
	// At is when it begins, from the start of the schedule; Length how long it lasts.
	At, Length time.Duration
	// Target and Index say whom it hits: Index where Target is Anyone or nobody leads. Neither counts for the store.
	Target Target
	Index  int
	// By is how far a line delays each chunk, or a wall clock is stepped.
	By time.Duration
	// Share is the part of the requests that a storm hits, above 0 and at most 1.
	Share float64
}

func (f Fault) String() string {
	s := fmt.Sprintf("%8s  %s", f.At.Round(10*time.Millisecond), f.Kind)
	if f.Length > 0 {
		s += fmt.Sprintf(" for %s", f.Length.Round(10*time.Millisecond))
	}
	if f.By != 0 {
		s += fmt.Sprintf(" by %s", f.By.Round(10*time.Millisecond))
	}
	if f.Share > 0 {
		s += fmt.Sprintf(" on %.0f %% of the requests", 100*f.Share)
	}
	switch {
	case traitOf(f.Kind).store:
	case f.Target == Anyone:
		s += fmt.Sprintf(": candidate %d", f.Index)
	default:
		s += fmt.Sprintf(": %s, else candidate %d", f.Target, f.Index)
	}
	return s
}
