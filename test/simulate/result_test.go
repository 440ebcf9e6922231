//go:build linux

package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// result is what came of one world.
type result struct {
	tally      tally
	violations []violation
	told       []overlap // of ours with ours or with client-go's
	work       []overlap
	transcript string // where it was asked for,
	digest     uint64 // or this
}

// result judges the world by its spans.
func (w *world) result() result {
	r := result{tally: w.tally, violations: w.violations}
	t := &r.tally
	t.seeds, t.virtual = 1, w.now()
	if w.plan.mixed() {
		t.mixed = 1
	}
	var told, work []span
	for _, p := range w.pods {
		told, work = append(append(told, p.answer.spans...), p.document.spans...), append(work, p.app.spans...)
	}
	for _, p := range w.peers {
		told = append(told, p.spans...)
	}
	var ours, beside, peers []overlap
	for _, o := range overlaps(told) {
		switch {
		case o.a.theirs && o.b.theirs:
			peers = append(peers, o)
		case o.a.theirs || o.b.theirs:
			beside = append(beside, o)
		default:
			ours = append(ours, o)
		}
	}
	r.told = slices.Concat(ours, beside)
	var excused []overlap
	for _, o := range overlaps(work) {
		if o.a.excused || o.b.excused {
			excused = append(excused, o)
		} else {
			r.work = append(r.work, o)
		}
	}
	t.excused.add(excused)
	t.told.add(ours)
	t.beside.add(beside)
	t.peers.add(peers)
	t.work.add(r.work)
	for _, v := range r.violations {
		t.violations[v.rule]++
	}
	if r.failed() {
		t.failed = 1
	}
	switch w.keep {
	case onlyCounts:
	case aDigest:
		r.digest = w.digest()
	case everything:
		r.transcript = w.text()
	}
	return r
}

func (r result) overlapped() bool { return len(r.told)+len(r.work) > 0 }

func (r result) failed() bool { return r.overlapped() || len(r.violations) > 0 }

// String says what is wrong.
func (r result) String() string {
	var b strings.Builder
	say := func(what string, found []overlap) {
		for _, o := range found {
			fmt.Fprintf(&b, "two %s for %v from %v: %s and %s\n", what, o.length(), max(o.a.from, o.b.from).Round(time.Microsecond), o.a.who, o.b.who)
		}
	}
	say("told to lead", r.told)
	say("at work", r.work)
	for _, v := range r.violations {
		fmt.Fprintf(&b, "%v  %s: %s\n", v.at.Round(time.Microsecond), v.rule, v.text)
	}
	return b.String()
}
