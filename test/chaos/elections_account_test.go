//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Account is all that is known of one side at the end, from which its figures are reckoned.
type Account struct {
	// Names are the candidates, by index.
	Names []string
	// Terms is every term through every channel; Leads has each leadership once, by its start.
	Terms, Leads []harness.Term
	// Events are the faults of this side, by their start.
	Events []event
	// Watched is what the figures are of: from the first leader to the end.
	Watched span
	// Timing is what a leader can bear.
	Timing Timing
}

// newAccount is that of what a witness saw until end of candidates with that lease duration. Each leadership shows once in
// the channel, "" for all.
func newAccount(w *harness.Witness, channel string, name func(index int) string, events []event, d time.Duration, end bootclock.Instant) Account {
	a := Account{
		Terms: w.Terms(""), Leads: w.Terms(channel), Events: events, Timing: TimingOf(d), Watched: span{end, end},
	}
	for i := range candidates {
		a.Names = append(a.Names, name(i))
	}
	if len(a.Leads) > 0 {
		a.Watched.from = a.Leads[0].From
	}
	return a
}

const (
	// seam is the longest pause between two terms of one leader that led on: it has a new token and lost nothing.
	seam = 100 * time.Millisecond
	// blur is how much earlier than in truth a term may seem to end: the witness of a starved machine looks seldom.
	blur = 250 * time.Millisecond
	// last is how near to the end a term is thought to go on beyond it: the calm before the end is longer.
	last = time.Second
)

// byCandidate returns when each candidate led through any channel, without the spans that skip gives for it.
func (a Account) byCandidate(skip func(index int) []span) [][]span {
	sets := make([][]span, len(a.Names))
	for _, term := range a.Terms {
		i := slices.Index(a.Names, term.Replica)
		sets[i] = append(sets[i], span{term.From, term.To})
	}
	for i, set := range sets {
		sets[i] = without(set, skip(i))
	}
	return sets
}

// frozen returns when a candidate could not run, whatever was published to it.
func (a Account) frozen(index int) []span { return spansOf(a.Events, index, Stopped, PodFrozen) }

// led returns when somebody led. There is no pause where a leader went on with a new token.
func (a Account) led() []span {
	var spans []span
	for _, term := range a.Leads {
		to := term.To
		if next := a.carriedOn(term); next >= 0 {
			to = a.Leads[next].From
		}
		spans = append(spans, span{term.From, to})
	}
	return joined(spans, 0)
}

// losses counts the leaderships that ended and were not carried on by their leader, but those that the end of the watch cut
// off, and describes each for which no fault was reason enough.
func (a Account) losses() (all int, needless []string) {
	for _, term := range a.Leads {
		index := slices.Index(a.Names, term.Replica)
		if a.lasts(term.To) || a.carriedOn(term) >= 0 {
			continue
		}
		all++
		if at := a.lostAt(term); !a.ended(index, at) && !a.disturbed(index, at) {
			needless = append(needless, fmt.Sprintf("%s after %v of leading, %v into the run",
				term.Replica, Seconds(at.Sub(term.From)), Seconds(at.Sub(a.Watched.from))))
		}
	}
	return all, needless
}

// lostAt returns when a term was lost: as another one led, where that came before the leader heard of it.
func (a Account) lostAt(term harness.Term) bootclock.Instant {
	for _, next := range a.Leads {
		if next.Replica != term.Replica && next.From > term.From && next.From < term.To {
			return next.From
		}
	}
	return term.To
}

// lasts reports whether a term that was last seen then goes on beyond the end.
func (a Account) lasts(to bootclock.Instant) bool { return !to.Add(last).Before(a.Watched.to) }

// carriedOn returns the index of the term with which the leader of another went on, below 0 where there is none.
func (a Account) carriedOn(term harness.Term) int {
	return slices.IndexFunc(a.Leads, func(next harness.Term) bool {
		return next.Replica == term.Replica && next.From > term.From && next.From.Sub(term.To) <= seam
	})
}

// ended reports whether the candidate was killed, asked to go or robbed of its Lease in the lease duration before at.
func (a Account) ended(index int, at bootclock.Instant) bool {
	return slices.ContainsFunc(a.Events, func(e event) bool {
		return hits(e, index) && traitOf(e.kind).effect == ends && a.recent(e, at)
	})
}

// recent reports whether a fault had begun before at, and was not over for a lease duration.
func (a Account) recent(e event, at bootclock.Instant) bool {
	return e.from <= at.Add(blur) && e.to >= at.Add(-a.Timing.D)
}

// disturbed reports whether the candidate's renewals were hindered for longer than it can spare, all in all.
func (a Account) disturbed(index int, at bootclock.Instant) bool {
	window := span{at.Add(-a.Timing.Memory), at}
	var spans []span
	for _, e := range a.Events {
		if hits(e, index) && traitOf(e.kind).effect == disturbs {
			spans = append(spans, e.span)
		}
	}
	within := common(joined(spans, 0), []span{window})
	total, _ := lengths(within)
	return len(within) > 0 && total >= a.Timing.Spare
}

func hits(e event, index int) bool { return e.index == everyone || e.index == index }

// gaps returns the spans without a leader, by the fault that each is put down to.
func (a Account) gaps() map[string][]time.Duration {
	found := map[string][]time.Duration{}
	for _, s := range without([]span{a.Watched}, a.led()) {
		cause := a.cause(s.from)
		found[cause] = append(found[cause], s.length())
	}
	return found
}

// cause names the fault that a gap from at on is put down to: of those that are recent and hit who led, else of those
// that hit others, one that ends a term by itself, else the one that lasted longest in the lease duration before.
func (a Account) cause(at bootclock.Instant) string {
	leader := everyone
	for _, term := range a.Leads {
		if term.To <= at {
			leader = slices.Index(a.Names, term.Replica)
		}
	}
	for _, hit := range []bool{true, false} {
		cause, most := "", time.Duration(-1)
		for _, e := range a.Events {
			if weight := a.weight(e, at); hits(e, leader) == hit && a.recent(e, at) && weight >= most {
				cause, most = string(e.kind), weight
			}
		}
		if cause != "" {
			return cause
		}
	}
	return "none"
}

// weight says how much a fault has to do with a loss at that instant: how long it hindered renewals before.
func (a Account) weight(e event, at bootclock.Instant) time.Duration {
	switch traitOf(e.kind).effect {
	case ends:
		return a.Timing.D
	case disturbs:
		total, _ := lengths(common([]span{e.span}, []span{{at.Add(-a.Timing.D), at}}))
		return total
	}
	return 0
}

// handovers returns, by kind, the time from the asking of a leader to the next one leading.
func (a Account) handovers() map[Kind][]time.Duration {
	took := map[Kind][]time.Duration{}
	for _, e := range a.Events {
		if e.kind != Terminated && e.kind != StepDown {
			continue
		}
		asked := slices.ContainsFunc(a.Leads, func(term harness.Term) bool {
			return term.Replica == a.Names[e.index] && term.From < e.from && e.from <= term.To.Add(blur)
		})
		next := slices.IndexFunc(a.Leads, func(term harness.Term) bool { return term.From > e.from })
		if asked && next >= 0 {
			took[e.kind] = append(took[e.kind], a.Leads[next].From.Sub(e.from))
		}
	}
	return took
}

// tokenFalls describes each leadership whose token is not greater than that of the one before; candidates without
// tokens have none.
func (a Account) tokenFalls() []string {
	var falls []string
	var last harness.Term
	for _, term := range a.Leads {
		if last.Token != "" && lease.Version(last.Token).Compare(lease.Version(term.Token)) >= 0 {
			falls = append(falls, fmt.Sprintf("token %s of %s came after token %s of %s", term.Token, term.Replica, last.Token, last.Replica))
		}
		last = term
	}
	return falls
}

// Timing says when a leader has reason to lose the lead.
type Timing struct {
	// D is the lease duration.
	D time.Duration
	// Memory is how far back a disturbance can matter: the renew deadline, and the attempt that was under way.
	Memory time.Duration
	// Spare is how long renewals may fail within Memory before the lead may be lost.
	Spare time.Duration
}

// TimingOf reckons with the documented defaults for a lease duration D: the renew deadline V = 2D/3, the renew
// interval R = D/5 but at least 1 s, the attempt's timeout A = min(2.5 s, V/4), and 0.5 s before the next attempt. A
// renewal may be R old as a disturbance begins and the attempt that its end finds under way may hang for A: what is
// left of V is spare. For D = 15 s that is 4 s, for D = 3 s nothing.
func TimingOf(d time.Duration) Timing {
	v, r := d*2/3, max(d/5, time.Second)
	a := min(2500*time.Millisecond, v/4)
	return Timing{D: d, Memory: v + a, Spare: max(0, v-r-a-500*time.Millisecond)}
}

func TestTimingOf(t *testing.T) {
	if got, want := TimingOf(15*time.Second), (Timing{D: 15 * time.Second, Memory: 12500 * time.Millisecond, Spare: 4 * time.Second}); got != want {
		t.Errorf("D = 15 s: %+v, want %+v", got, want)
	}
	if got := TimingOf(3 * time.Second); got.Spare != 0 || got.Memory != 2500*time.Millisecond {
		t.Errorf("D = 3 s: %+v, want nothing to spare and 2.5 s of memory", got)
	}
}
