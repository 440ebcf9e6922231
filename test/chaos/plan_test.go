//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Kind is what is done.
type Kind string

// none is no fault.
const none Kind = ""

// Target says which replica a fault hits.
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
	// Way is what of a line is cut.
	Way harness.Way
	// By is how far a line delays each chunk, a wall clock is stepped, or how late a write arrives, or is answered where
	// Answer is set.
	By     time.Duration
	Answer bool
	// Share is the part of the requests that a storm hits, above 0 and at most 1.
	Share float64
	// Then is what a composed fault does, Phase how far into its time: from 0 to 1.
	Then  Kind
	Phase float64
	// Offset is from validUntil to the healing.
	Offset time.Duration
	// Program: what the pod's end sends to the program, before the sidecar's SIGTERM or with it.
	Program end
}

func (f Fault) String() string { return fmt.Sprintf("%9s  %s", rounded(f.At), f.detail()) }

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// detail says what the fault is, without its time and whom it hits.
func (f Fault) detail() string {
	s := string(f.Kind)
	add := func(given bool, format string, args ...any) {
		if given {
			s += fmt.Sprintf(format, args...)
		}
	}
	add(f.Then != none, " (%s, phase %.2f)", f.Then, f.Phase)
	ways := map[harness.Way]string{harness.Requests: "requests", harness.Replies: "replies", harness.Both: "both ways"}
	add(f.Way != 0 && f.Kind != CutRequests && f.Kind != CutReplies, ", %s", ways[f.Way])
	add(f.Kind == HealedLate, ", %s from validUntil", f.Offset.Round(time.Millisecond))
	add(f.By != 0, " by %s", rounded(f.By))
	add(f.Share > 0, " on %.0f %% of the requests", 100*f.Share)
	add(f.Program != "", ", %s", f.Program)
	add(f.Length > 0, " for %s", rounded(f.Length))
	return s
}

// Lane is faults that come one after the other.
type Lane []Fault

// Schedule is the lanes that a seed gives. They are played at once.
type Schedule []Lane

// Plan is what a schedule is drawn for.
type Plan struct {
	// Seed is what it is drawn from.
	Seed uint64
	// Span is how long faults may begin and last, calm at both ends not counted.
	Span time.Duration
	// D is the lease duration.
	D time.Duration
	// Gentle leaves out what ends processes and keeps all else shorter than a renewal's spare time.
	Gentle bool
}

// calm is how long nothing happens between two faults of a lane, in lease durations.
type calm struct{ least, most float64 }

// lane draws the faults of one lane. The kinds come in random order, and each as often as the deck has it before any comes
// more often.
func (p Plan) lane(stream uint64, deck []Kind, between calm, draw func(*rand.Rand, Kind) Fault) Lane {
	chance := rand.New(rand.NewPCG(p.Seed, stream))
	var lane Lane
	var left []Kind
	for at := p.times(chance, between.least, between.most); ; {
		if len(left) == 0 {
			left = slices.Clone(deck)
			chance.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		f := draw(chance, left[0])
		f.At, left = at, left[1:]
		if at += f.Length; at > p.Span {
			return lane
		}
		lane = append(lane, f)
		at += p.times(chance, between.least, between.most)
	}
}

// times draws between so many and so many lease durations.
func (p Plan) times(chance *rand.Rand, least, most float64) time.Duration {
	return time.Duration((least + (most-least)*chance.Float64()) * float64(p.D))
}

// TestScheduleKeepsItsBounds draws many: a seed gives one schedule, faults of a lane never run into one another, none
// outlasts the span, and a long schedule has every kind.
func TestScheduleKeepsItsBounds(t *testing.T) {
	for _, p := range []Plan{
		{Span: 10 * time.Minute, D: 15 * time.Second},
		{Span: 10 * time.Minute, D: 3 * time.Second},
		{Span: 20 * time.Minute, D: 15 * time.Second, Gentle: true},
		{Span: 20 * time.Second, D: 3 * time.Second},
	} {
		for p.Seed = range uint64(200) {
			s := p.elections()
			seen := checkSchedule(t, p, s)
			for _, f := range slices.Concat(s...) {
				checkFault(t, p, f)
			}
			for _, trait := range traits {
				if want := !p.Gentle || trait.gentle >= 0; p.Span >= 10*time.Minute && seen[trait.kind] != want {
					t.Errorf("%+v: has %q: %v, want %v", p, trait.kind, seen[trait.kind], want)
				}
			}
			if diff := cmp.Diff(s, p.elections()); diff != "" {
				t.Errorf("%+v gives two schedules:\n%s", p, diff)
			}
		}
	}
	for seed := range uint64(20) {
		p := Plan{Seed: seed, Span: 10 * time.Minute, D: 4 * time.Second}
		s := p.work()
		checkSchedule(t, p, s)
		seen := checkSchedule(t, p, s[:1])
		for _, c := range chances {
			if !seen[c.kind] {
				t.Errorf("%+v: no %q", p, c.kind)
			}
		}
		if diff := cmp.Diff(s, p.work()); diff != "" {
			t.Errorf("%+v gives two schedules:\n%s", p, diff)
		}
	}
	if p := (Plan{Seed: 7, Span: 10 * time.Minute, D: 15 * time.Second}); cmp.Equal(p.elections()[0], Plan{8, p.Span, p.D, false}.elections()[0]) {
		t.Error("two seeds give one schedule")
	}
}

// checkSchedule checks the times of a schedule, and returns which kinds it has.
func checkSchedule(t *testing.T, p Plan, s Schedule) (seen map[Kind]bool) {
	t.Helper()
	seen = map[Kind]bool{}
	for _, lane := range s {
		var free time.Duration
		for _, f := range lane {
			seen[f.Kind] = true
			if f.At < free {
				t.Errorf("%+v: %v begins before the one before has ended", p, f)
			}
			free = f.At + f.Length
		}
		if free > p.Span {
			t.Errorf("%+v: faults last until %v", p, free)
		}
	}
	if len(s[0]) == 0 {
		t.Errorf("%+v: no fault", p)
	}
	return seen
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
