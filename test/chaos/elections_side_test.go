//go:build linux

package chaos

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Seconds is a duration that JSON shows in seconds, to the millisecond.
type Seconds time.Duration

// MarshalJSON implements [json.Marshaler].
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(s.rounded().Milliseconds()) / 1000)
}

func (s Seconds) rounded() time.Duration { return time.Duration(s).Round(time.Millisecond) }

func (s Seconds) String() string { return s.rounded().String() }

// Side is the figures of one side.
type Side struct {
	// Candidates says who they are.
	Candidates string
	// Terms counts leaderships; Moves those that began with another leader than the one before.
	Terms, Moves int
	// Overlaps is of the spans in which two led at once. A frozen process counts as leading for as
	// long as nothing says otherwise, which for ours is what its files say by the clock.
	Overlaps Overlaps
	// OverlapsAwake is the same without the spans in which a process was frozen and could do nothing.
	OverlapsAwake Overlaps
	// TokenFalls are tokens that did not rise.
	TokenFalls []string
	// Losses counts leaderships that ended and were not carried on by their leader. Needless lists those for which
	// there was no reason: in the lease duration before, the leader was not killed, terminated, asked to step down or
	// robbed of its Lease, and its line, its process and the store were not disturbed for longer than a leader can
	// spare (see TimingOf).
	Losses   int
	Needless []string
	// WithoutLeader is the time without a leader; Gaps the same by the fault that each is put down to.
	WithoutLeader Seconds
	Gaps          map[string]Spread
	// Handovers is the time from asking a leader to go to the next one leading, by how it was asked. Theirs knows
	// no step-down and has SIGTERM for it.
	Handovers map[Kind]Spread
	// LeadsAtEnd says whether somebody led in the end.
	LeadsAtEnd bool
	// RequestsPerSecond is what all of them asked of the API server, on the average.
	RequestsPerSecond float64
}

// Overlaps sums up spans in which two were leading at once.
type Overlaps struct {
	Count          int
	Total, Longest Seconds
}

// Spread sums up durations.
type Spread struct {
	Count             int
	P50, P99, Longest Seconds
}

func overlapsOf(sets [][]span) Overlaps {
	twice := atOnce(sets...)
	total, longest := lengths(twice)
	return Overlaps{Count: len(twice), Total: Seconds(total), Longest: Seconds(longest)}
}

func spreadOf(values []time.Duration) Spread {
	return Spread{
		Count: len(values), P50: Seconds(harness.Rank(values, 0.5)), P99: Seconds(harness.Rank(values, 0.99)), Longest: Seconds(harness.Rank(values, 1)),
	}
}

// Judge reckons the figures.
func (a Account) Judge(candidates string) Side {
	s := Side{
		Candidates: candidates, Terms: len(a.Leads), Moves: moves(a.Leads),
		Overlaps:      overlapsOf(a.byCandidate(func(int) []span { return nil })),
		OverlapsAwake: overlapsOf(a.byCandidate(a.frozen)),
		TokenFalls:    a.tokenFalls(),
		Gaps:          map[string]Spread{}, Handovers: map[Kind]Spread{},
	}
	for _, l := range a.losses() {
		s.Losses++
		if !l.needed {
			s.Needless = append(s.Needless, fmt.Sprintf("%s after %v of leading, %v into the run",
				l.term.Replica, Seconds(l.at.Sub(l.term.From)), Seconds(l.at.Sub(a.Watched.from))))
		}
	}
	for cause, spans := range a.gaps() {
		s.Gaps[cause] = spreadOf(spans)
		for _, took := range spans {
			s.WithoutLeader += Seconds(took)
		}
	}
	for kind, took := range a.handovers() {
		s.Handovers[kind] = spreadOf(took)
	}
	led := a.led()
	s.LeadsAtEnd = len(led) > 0 && a.lasts(led[len(led)-1].to)
	return s
}

// moves counts the leaderships that began with another leader.
func moves(leads []harness.Term) int {
	n := 0
	for i := 1; i < len(leads); i++ {
		if leads[i].Replica != leads[i-1].Replica {
			n++
		}
	}
	return n
}

func (o Overlaps) String() string {
	return fmt.Sprintf("%d times, %v in all, longest %v", o.Count, o.Total, o.Longest)
}
