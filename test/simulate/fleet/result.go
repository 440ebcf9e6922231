//go:build linux

package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Result is what came of one world.
type Result struct {
	// Tally counts what happened.
	Tally Tally
	// Transcript is there with Everything, Digest, which is the transcript's, with Digest.
	Transcript string
	Digest     uint64

	violations []violation
	leaders    []overlap // of ours with ours or with client-go's
	working    []overlap
}

// span is an interval of true time in which somebody led, by what somebody else could read, or worked.
type span struct {
	from, to     time.Duration
	who          string
	theirs       bool // client-go's
	pastDeadline bool // work past its deadline of an app that nobody can end
}

// overlap is what two spans have in common.
type overlap struct {
	a, b span
}

func (o overlap) length() time.Duration { return min(o.a.to, o.b.to) - max(o.a.from, o.b.from) }

// overlaps returns every pair of spans of different owners that share time.
func overlaps(spans []span) (found []overlap) {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return int(a.from - b.from) })
	var open []span
	for _, s := range spans {
		if s.to <= s.from {
			continue
		}
		open = slices.DeleteFunc(open, func(o span) bool { return o.to <= s.from })
		for _, o := range open {
			if o.who != s.who {
				found = append(found, overlap{o, s})
			}
		}
		open = append(open, s)
	}
	return found
}

// result judges the world by its spans.
func (w *world) result() Result {
	r := Result{Tally: w.tally, violations: w.violations}
	t := &r.Tally
	t.Seeds, t.virtual = 1, w.now()
	if w.plan.mixed() {
		t.mixed = 1
	}
	var leading, working []span
	for _, p := range w.pods {
		leading, working = append(append(leading, p.answer.spans...), p.document.spans...), append(working, p.app.spans...)
	}
	for _, p := range w.peers {
		leading = append(leading, p.spans...)
	}
	var ours, beside, peers, pastDeadline []overlap
	for _, o := range overlaps(leading) {
		switch {
		case o.a.theirs && o.b.theirs:
			peers = append(peers, o)
		case o.a.theirs || o.b.theirs:
			beside = append(beside, o)
		default:
			ours = append(ours, o)
		}
	}
	for _, o := range overlaps(working) {
		if o.a.pastDeadline || o.b.pastDeadline {
			pastDeadline = append(pastDeadline, o)
		} else {
			r.working = append(r.working, o)
		}
	}
	r.leaders = slices.Concat(ours, beside)
	t.ours.add(ours)
	t.beside.add(beside)
	t.peers.add(peers)
	t.working.add(r.working)
	t.pastDeadline.add(pastDeadline)
	for _, v := range r.violations {
		t.Violations[v.rule]++
	}
	if r.Failed() {
		t.Failed = 1
	}
	switch w.keep {
	case Counts:
	case Digest:
		r.Digest = w.digest()
	case Everything:
		r.Transcript = w.text()
	}
	return r
}

// Failed reports whether anything was wrong.
func (r Result) Failed() bool { return len(r.leaders)+len(r.working)+len(r.violations) > 0 }

// String says what is wrong.
func (r Result) String() string {
	var b strings.Builder
	say := func(what string, found []overlap) {
		for _, o := range found {
			fmt.Fprintf(&b, "two %s for %v from %v: %s and %s\n", what, o.length(), max(o.a.from, o.b.from).Round(time.Microsecond), o.a.who, o.b.who)
		}
	}
	say("leaders", r.leaders)
	say("at work", r.working)
	for _, v := range r.violations {
		fmt.Fprintf(&b, "%v  %s: %s\n", v.at.Round(time.Microsecond), v.rule, v.text)
	}
	return b.String()
}
