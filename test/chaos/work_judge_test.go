//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// cluster is the longest time between two overlaps of the same two replicas that are reported as one.
const cluster = time.Second

// piece is a time throughout which one process worked.
type piece struct {
	span
	kind journal.Kind
	pid  int
}

// record is what is known of one replica.
type record struct {
	name string
	mode mode
	// pieces is the work that is judged; waking is the work that is not.
	pieces, waking []piece
	// tasks is from when to when each process had work, be it that it could not go on with it for a while.
	tasks    []piece
	releases []bootclock.Instant
	// starts is how many commands worked.
	starts int
}

// record reads what a replica's processes wrote down, and divides it by the times at which its pod stood still.
func newRecord(name string, m mode, processes []journal.Process, releases []bootclock.Instant, frozen []span) record {
	r := record{name: name, mode: m, releases: releases}
	for _, p := range processes {
		if p.Kind == journal.Command && len(p.Stretches) > 0 {
			r.starts++
		}
		judged := p
		judged.Stretches = nil
		for _, s := range p.Stretches {
			one := pieceOf(p, s)
			if onWaking(s, frozen) {
				r.waking = append(r.waking, one)
				continue
			}
			r.pieces = append(r.pieces, one)
			judged.Stretches = append(judged.Stretches, s)
		}
		for _, s := range judged.Spells() {
			r.tasks = append(r.tasks, pieceOf(p, s))
		}
	}
	slices.SortFunc(r.pieces, func(a, b piece) int { return cmp.Compare(a.from, b.from) })
	return r
}

func pieceOf(p journal.Process, s journal.Stretch) piece {
	return piece{span: span{s.From, s.To}, kind: p.Kind, pid: p.PID}
}

func (r record) spans() []span {
	var all []span
	for _, p := range r.pieces {
		all = append(all, p.span)
	}
	return joined(all, 0)
}

// overlap is a time at which two replicas worked.
type overlap struct {
	span
	// a began before b.
	a, b record
	// sum is how long both worked.
	sum time.Duration
}

// overlaps finds them all, by their begins.
func overlaps(records []record) []overlap {
	var found []overlap
	for i, a := range records {
		for _, b := range records[i+1:] {
			both := common(a.spans(), b.spans())
			for _, s := range joined(both, cluster) {
				o := overlap{span: s, a: a, b: b}
				o.sum, _ = lengths(common(both, []span{s}))
				if begin(b, s) < begin(a, s) {
					o.a, o.b = b, a
				}
				found = append(found, o)
			}
		}
	}
	slices.SortFunc(found, func(a, b overlap) int { return cmp.Compare(a.from, b.from) })
	return found
}

// begin returns when the replica's work began that goes on in s.
func begin(r record, s span) bootclock.Instant {
	for _, w := range r.spans() {
		if !w.to.Before(s.from) {
			return w.from
		}
	}
	return s.to
}

// who lists the processes of a replica that worked then.
func (r record) who(s span) string {
	var all []string
	for _, p := range r.pieces {
		name := fmt.Sprintf("%s %d", p.kind, p.pid)
		if !p.to.Before(s.from) && !s.to.Before(p.from) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return fmt.Sprintf("%s (%s: %s)", r.name, r.mode, strings.Join(all, ", "))
}

// early is a release that came to the API server while the work that it speaks of went on.
type early struct {
	at bootclock.Instant
	r  record
	// who names the processes, and by is how long the work went on.
	who []string
	by  time.Duration
}

// earlyReleases finds them all. A request arrives after it was sent, so what still works then worked at the sending.
func earlyReleases(records []record) []early {
	var found []early
	for _, r := range records {
		for _, at := range r.releases {
			var worst early
			for _, w := range r.tasks {
				if w.from.Before(at) && at.Before(w.to) {
					worst.who = append(worst.who, fmt.Sprintf("%s %d", w.kind, w.pid))
					worst.by = max(worst.by, w.to.Sub(at))
				}
			}
			if worst.who != nil {
				worst.at, worst.r = at, r
				found = append(found, worst)
			}
		}
	}
	slices.SortFunc(found, func(a, b early) int { return cmp.Compare(a.at, b.at) })
	return found
}

func TestTheJudge(t *testing.T) {
	at := func(seconds float64) bootclock.Instant { return bootclock.Instant(seconds * 1e9) }
	works := func(kind journal.Kind, seconds ...float64) journal.Process {
		p := journal.Process{Kind: kind, PID: 7}
		for i := 0; i+1 < len(seconds); i += 2 {
			p.Stretches = append(p.Stretches, journal.Stretch{From: at(seconds[i]), To: at(seconds[i+1]), Woken: i > 0})
		}
		return p
	}
	rests := func(p journal.Process) journal.Process {
		for i := range p.Stretches {
			p.Stretches[i].Rested = true
		}
		return p
	}
	frozen := []span{{at(10), at(20)}}
	for _, tc := range []struct {
		name     string
		a, b     []journal.Process
		releases []bootclock.Instant // of a
		overlaps []time.Duration
		early    []time.Duration
		waking   int // of a, whose pod is frozen from 10 s to 20 s
	}{
		{name: "one after the other", a: []journal.Process{works(journal.Command, 1, 5)}, b: []journal.Process{works(journal.Command, 5.001, 8)}, releases: []bootclock.Instant{at(5.0005)}},
		{name: "one within the other", a: []journal.Process{works(journal.Command, 1, 5)}, b: []journal.Process{works(journal.Command, 2, 3)}, overlaps: []time.Duration{time.Second}},
		{name: "a worker is left", a: []journal.Process{works(journal.Command, 1, 5), works(journal.Worker, 1, 7)}, b: []journal.Process{works(journal.Command, 6, 9)}, overlaps: []time.Duration{time.Second}},
		{name: "a single mark", a: []journal.Process{works(journal.Command, 1, 5)}, b: []journal.Process{works(journal.Command, 4, 4)}, overlaps: []time.Duration{0}},
		{name: "two that are close are reported as one", a: []journal.Process{works(journal.Command, 1, 2, 2.5, 3)}, b: []journal.Process{works(journal.Command, 1.5, 3)}, overlaps: []time.Duration{time.Second}},
		{name: "released under the worker", a: []journal.Process{works(journal.Command, 1, 5), works(journal.Worker, 1, 7)}, releases: []bootclock.Instant{at(6)}, early: []time.Duration{time.Second}},
		{name: "released while the process could not go on", a: []journal.Process{works(journal.Command, 1, 5, 7, 8)}, releases: []bootclock.Instant{at(6)}, early: []time.Duration{2 * time.Second}},
		{name: "released between two terms of one process", a: []journal.Process{rests(works(journal.Command, 1, 5, 5.5, 8))}, releases: []bootclock.Instant{at(5.2)}},
		{name: "released between two processes", a: []journal.Process{works(journal.Command, 1, 5), works(journal.Command, 5.5, 8)}, releases: []bootclock.Instant{at(5.2)}},
		{name: "work on waking", a: []journal.Process{works(journal.Command, 1, 10, 20, 20.5)}, b: []journal.Process{works(journal.Command, 15, 30)}, waking: 1},
		{name: "work on waking, on and on", a: []journal.Process{works(journal.Command, 1, 10, 20, 21.5)}, b: []journal.Process{works(journal.Command, 15, 30)}, overlaps: []time.Duration{1500 * time.Millisecond}},
		{name: "work on waking, as the freezer let go before it said so", a: []journal.Process{works(journal.Command, 1, 10, 19.9, 20.02)}, waking: 1},
		{name: "work before the freeze", a: []journal.Process{works(journal.Command, 1, 10)}},
		{name: "a start on waking", a: []journal.Process{works(journal.Command, 20, 20.5)}, b: []journal.Process{works(journal.Command, 15, 30)}, overlaps: []time.Duration{500 * time.Millisecond}},
		{name: "long after the waking", a: []journal.Process{works(journal.Command, 1, 10, 22, 22.5)}, b: []journal.Process{works(journal.Command, 15, 30)}, overlaps: []time.Duration{500 * time.Millisecond}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newRecord("a", child, tc.a, tc.releases, frozen)
			b := newRecord("b", child, tc.b, nil, nil)
			var sums, by []time.Duration
			for _, o := range overlaps([]record{b, a}) {
				sums = append(sums, o.sum)
			}
			for _, e := range earlyReleases([]record{a, b}) {
				by = append(by, e.by)
			}
			if !slices.Equal(sums, tc.overlaps) || !slices.Equal(by, tc.early) || len(a.waking) != tc.waking {
				t.Errorf("overlaps %v, early releases %v, %d at waking; want %v, %v, %d", sums, by, len(a.waking), tc.overlaps, tc.early, tc.waking)
			}
		})
	}
}
