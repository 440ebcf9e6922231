//go:build linux

package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// candidates is how many there are of each side.
const candidates = 3

// Lane is faults that come one after the other. Lanes are played at once: a candidate may be hit while the store is.
type Lane []Fault

// Schedule is what a seed gives.
type Schedule struct {
	// Seed makes it again, for the same plan.
	Seed uint64
	// Candidates and Store are its lanes.
	Candidates, Store Lane
}

// Plan is what a schedule is drawn for.
type Plan struct {
	// Span is how long faults may begin and last, calm at both ends not counted.
	Span time.Duration
	// D is the lease duration.
	D time.Duration
	// Gentle leaves out what ends processes and keeps all else shorter than a renewal's spare time.
	Gentle bool
}

// calm is how long nothing happens between two faults of a lane, in lease durations.
type calm struct{ least, most float64 }

var (
	candidateCalm = calm{0.2, 1.2}
	storeCalm     = calm{1.5, 4}
	// soakCalm is that of both lanes of a soak.
	soakCalm = calm{1, 4}
)

// Draw makes the schedule of a seed.
func (p Plan) Draw(seed uint64) Schedule {
	s := Schedule{Seed: seed}
	s.Candidates = p.lane(rand.New(rand.NewPCG(seed, 1)), false, candidateCalm)
	s.Store = p.lane(rand.New(rand.NewPCG(seed, 2)), true, storeCalm)
	return s
}

// lane draws the faults of one lane. Each kind comes once, in random order, before any comes again.
func (p Plan) lane(chance *rand.Rand, store bool, between calm) Lane {
	if p.Gentle {
		between = soakCalm
	}
	var lane Lane
	var deck []trait
	for at := p.times(chance, between.least, between.most); ; {
		if len(deck) == 0 {
			deck = p.deck(chance, store)
		}
		f := p.fault(chance, deck[0])
		deck = deck[1:]
		f.At = at
		if at += f.Length; at > p.Span {
			return lane
		}
		lane = append(lane, f)
		at += p.times(chance, between.least, between.most)
	}
}

// deck returns the kinds of a lane, shuffled.
func (p Plan) deck(chance *rand.Rand, store bool) []trait {
	var deck []trait
	for _, t := range traits {
		if t.store == store && (!p.Gentle || t.gentle >= 0) {
			deck = append(deck, t)
		}
	}
	chance.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

func (p Plan) fault(chance *rand.Rand, t trait) Fault {
	longest := t.longest
	if p.Gentle {
		longest = min(longest, t.gentle)
	}
	f := Fault{
		Kind: t.kind, Length: p.times(chance, min(t.shortest, longest), longest),
		Target: []Target{OurLeader, TheirLeader, Anyone}[chance.IntN(3)], Index: chance.IntN(candidates),
	}
	switch t.kind {
	case Delayed:
		f.By = p.times(chance, 0.02, min(0.5, longest))
	case WallStep:
		f.By = time.Duration((2*chance.Float64() - 1) * float64(time.Hour))
	case Storm:
		f.Share = 0.3 + 0.7*chance.Float64()
	}
	return f
}

// times draws between so many and so many lease durations.
func (p Plan) times(chance *rand.Rand, least, most float64) time.Duration {
	return time.Duration((least + (most-least)*chance.Float64()) * float64(p.D))
}

func TestScheduleIsRepeatable(t *testing.T) {
	p := Plan{Span: 10 * time.Minute, D: 15 * time.Second}
	if diff := cmp.Diff(p.Draw(7), p.Draw(7)); diff != "" {
		t.Errorf("one seed gives two schedules:\n%s", diff)
	}
	if cmp.Equal(p.Draw(7).Candidates, p.Draw(8).Candidates) {
		t.Error("two seeds give one schedule")
	}
}

// TestScheduleKeepsItsBounds draws many: faults of a lane never run into one another, none outlasts the span, and a
// long schedule has every kind.
func TestScheduleKeepsItsBounds(t *testing.T) {
	for _, p := range []Plan{
		{Span: 10 * time.Minute, D: 15 * time.Second},
		{Span: 10 * time.Minute, D: 3 * time.Second},
		{Span: 20 * time.Minute, D: 15 * time.Second, Gentle: true},
		{Span: 20 * time.Second, D: 3 * time.Second},
	} {
		for seed := range uint64(200) {
			s := p.Draw(seed)
			seen := map[Kind]bool{}
			for _, lane := range []Lane{s.Candidates, s.Store} {
				var free time.Duration
				for _, f := range lane {
					checkFault(t, p, f)
					seen[f.Kind] = true
					if f.At < free {
						t.Errorf("seed %d: %v begins before the one before has ended", seed, f)
					}
					free = f.At + f.Length
				}
				if free > p.Span {
					t.Errorf("seed %d: faults last until %v, want at most %v", seed, free, p.Span)
				}
			}
			for _, trait := range traits {
				if want := !p.Gentle || trait.gentle >= 0; p.Span >= 10*time.Minute && seen[trait.kind] != want {
					t.Errorf("seed %d, %+v: has %q: %v, want %v", seed, p, trait.kind, seen[trait.kind], want)
				}
			}
			if len(s.Candidates) == 0 {
				t.Errorf("seed %d: no fault in %v", seed, p.Span)
			}
		}
	}
}

func checkFault(t *testing.T, p Plan, f Fault) {
	t.Helper()
	trait := traitOf(f.Kind)
	longest := trait.longest
	if p.Gentle {
		longest = min(longest, trait.gentle)
	}
	if f.Length < 0 || f.Length > time.Duration(longest*float64(p.D)) {
		t.Errorf("%v lasts %v, want at most %v lease durations", f, f.Length, longest)
	}
	if f.Index < 0 || f.Index >= candidates {
		t.Errorf("%v hits candidate %d", f, f.Index)
	}
	if f.Kind == Storm && (f.Share <= 0 || f.Share > 1) {
		t.Errorf("%v hits a share of %v", f, f.Share)
	}
}
