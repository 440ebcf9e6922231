//go:build linux

package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// Report is what a run comes to.
type Report struct {
	// Seed and the three after it make the run again.
	Seed                    uint64
	Duration, LeaseDuration Seconds
	Gentle                  bool
	// Faults counts them by kind.
	Faults map[Kind]int
	// Ours and Theirs are the figures of the two sides.
	Ours, Theirs Side
	// Rules attributes the time without a leader of ours.
	Rules []Lack
	// WorkOnWaking is work of a program whose whole pod woke from a freeze, before it was killed.
	WorkOnWaking Spread
}

// report ends the watch and reckons.
func (f *contest) report(t *testing.T, plan Plan, began time.Time) Report {
	t.Helper()
	end, ended := now(), time.Now()
	f.ourWitness.Stop()
	f.theirWitness.Stop()
	report := Report{
		Seed: plan.Seed, Duration: Seconds(*duration), LeaseDuration: Seconds(plan.D), Gentle: plan.Gentle, Faults: map[Kind]int{},
	}
	ourEvents := f.all()
	theirEvents := slices.DeleteFunc(f.all(), func(e event) bool { return e.ours })
	for _, e := range ourEvents {
		report.Faults[e.kind]++
	}
	var waking []time.Duration
	for i, folder := range f.journals {
		terms, woken, err := worked(folder, ourName(i), spansOf(ourEvents, i, Stopped, PodFrozen))
		if err != nil {
			t.Error(err)
		}
		for _, term := range terms {
			f.ourWitness.AddTerm(term)
		}
		waking = append(waking, woken...)
	}
	ours, logs := newAccount(f.ourWitness, "state", ourName, ourEvents, plan.D, end), map[string][]line{}
	for _, c := range f.candidates {
		logs[ourName(c.index)] = linesOf(c.ours.Log())
	}
	report.Ours, report.Rules = ours.Judge("ours"), ours.rules(logs)
	t.Logf("the time without a leader of ours:\n%s", table(report.Rules))
	report.Theirs = newAccount(f.theirWitness, "", theirName, theirEvents, plan.D, end).Judge("client-go's elector v0.37, ReleaseOnCancel")
	report.WorkOnWaking = spreadOf(waking)
	report.Ours.RequestsPerSecond = f.ours.RequestRate(t, began, ended)
	report.Theirs.RequestsPerSecond = f.theirs.RequestRate(t, began, ended)
	if twice := harness.Overlaps(f.ourWitness.Terms("")); len(twice) > 0 {
		t.Logf("the longest of ours: %v", slices.MaxFunc(twice, func(a, b harness.Overlap) int { return cmp.Compare(a.Span, b.Span) }))
	}
	return report
}

// faults returns a line for each figure that must not be.
func (r Report) faults() []string {
	var found []string
	if r.Ours.Overlaps.Count > 0 {
		found = append(found, fmt.Sprintf("two of ours led at once: %v", r.Ours.Overlaps))
	}
	found = append(found, r.Ours.TokenFalls...)
	if !r.Ours.LeadsAtEnd {
		found = append(found, "none of ours leads in the end")
	}
	return found
}

// worked reads what a replica's programs wrote down in a folder, and divides it into terms and what they did on waking with
// their frozen pod.
func worked(folder, replica string, frozen []span) (terms []harness.Term, waking []time.Duration, err error) {
	programs, err := journal.Read(folder)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range programs {
		for _, s := range p.Stretches {
			if onWaking(s, frozen) {
				waking = append(waking, s.To.Sub(s.From))
				continue
			}
			terms = append(terms, harness.Term{Replica: replica, Channel: "program", Token: s.Token, From: s.From, To: s.To})
		}
	}
	return terms, waking, nil
}

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
	s.Losses, s.Needless = a.losses()
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
