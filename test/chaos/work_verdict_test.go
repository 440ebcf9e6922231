//go:build linux

package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

const (
	// lookBack is how long before an overlap log lines are shown; faults are for two lease durations.
	lookBack = 2500 * time.Millisecond
	// linesMost bounds the log lines shown of each replica.
	linesMost = 40
)

// verdict is what came of a run.
type verdict struct {
	records  []record
	overlaps []overlap
	early    []early
	watched  span
}

// judge reads all journals as they stand.
func (f *fleet) judge() verdict {
	f.t.Helper()
	v := verdict{watched: span{f.began, now()}}
	events := f.all()
	for _, r := range f.replicas {
		processes, err := journal.Read(r.folder)
		if err != nil {
			f.t.Fatal(err)
		}
		r.mu.Lock()
		releases := slices.Clone(r.releases)
		r.mu.Unlock()
		v.records = append(v.records, newRecord(fmt.Sprintf("web-%d", r.index), r.mode, processes, releases, spansOf(events, r.index, PodFrozen)))
	}
	v.overlaps, v.early = overlaps(v.records), earlyReleases(v.records)
	return v
}

// work returns when anybody worked.
func (v verdict) work() []span {
	var all []span
	for _, r := range v.records {
		all = append(all, r.spans()...)
	}
	return joined(all, 0)
}

// handovers counts how often the work went from one replica to another.
func (v verdict) handovers() int {
	var turns []harness.Term
	for _, r := range v.records {
		for _, s := range r.spans() {
			turns = append(turns, harness.Term{Replica: r.name, From: s.from})
		}
	}
	slices.SortFunc(turns, func(a, b harness.Term) int { return cmp.Compare(a.From, b.From) })
	return moves(turns)
}

// summary is the figures of a run, for people and as JSON.
type summary struct {
	Seed          uint64  `json:"seed"`
	Seconds       float64 `json:"seconds"`
	LeaseDuration string  `json:"leaseDuration"`
	Faults        int     `json:"faults"`
	Starts        int     `json:"starts"`
	Handovers     int     `json:"handovers"`
	Releases      int     `json:"releases"`
	WorkSeconds   float64 `json:"workSeconds"`
	IdleSeconds   float64 `json:"idleSeconds"`
	LongestIdle   float64 `json:"longestIdleSeconds"`
	WokenPieces   int     `json:"wokenPieces"`
	Overlaps      int     `json:"overlaps"`
	OverlapSecs   float64 `json:"overlapSeconds"`
	LongestOver   float64 `json:"longestOverlapSeconds"`
	EarlyReleases int     `json:"earlyReleases"`
	LongestEarly  float64 `json:"longestEarlySeconds"`
}

func (f *fleet) summary(v verdict) summary {
	s := summary{
		Seed: f.seed, Seconds: v.watched.length().Seconds(), LeaseDuration: f.election.Duration.String(), Faults: len(f.all()),
		Handovers: v.handovers(), Overlaps: len(v.overlaps), EarlyReleases: len(v.early),
	}
	for _, r := range v.records {
		s.Starts += r.starts
		s.Releases += len(r.releases)
		s.WokenPieces += len(r.waking)
	}
	work := v.work()
	sum, _ := lengths(work)
	var idle, longest time.Duration
	if len(work) > 0 {
		idle, longest = lengths(without([]span{{work[0].from, v.watched.to}}, work))
	}
	s.WorkSeconds, s.IdleSeconds, s.LongestIdle = sum.Seconds(), idle.Seconds(), longest.Seconds()
	for _, o := range v.overlaps {
		s.OverlapSecs += o.sum.Seconds()
		s.LongestOver = max(s.LongestOver, o.sum.Seconds())
	}
	for _, e := range v.early {
		s.LongestEarly = max(s.LongestEarly, e.by.Seconds())
	}
	return s
}

func (s summary) String() string {
	return fmt.Sprintf("seed %d, D = %s, %.0f s: %d faults, %d starts, %d handovers, %d releases; at work %.1f s, nobody %.1f s (longest %.1f s); "+
		"%d pieces on waking not judged; %d overlaps (%.3f s, longest %.3f s), %d releases under living work (longest by %.3f s)",
		s.Seed, s.LeaseDuration, s.Seconds, s.Faults, s.Starts, s.Handovers, s.Releases, s.WorkSeconds, s.IdleSeconds, s.LongestIdle,
		s.WokenPieces, s.Overlaps, s.OverlapSecs, s.LongestOver, s.EarlyReleases, s.LongestEarly)
}

// blame reports each overlap and each early release as a fault of the test, with what was done and what the sidecars said.
func (f *fleet) blame(v verdict) {
	f.t.Helper()
	for _, o := range v.overlaps {
		f.t.Errorf("OVERLAP of %s from %s to %s:\n  %s began at %s\n  %s began at %s\n%s",
			o.sum.Round(time.Millisecond), f.since(o.from), f.since(o.to), o.a.who(o.span), f.since(begin(o.a, o.span)),
			o.b.who(o.span), f.since(begin(o.b, o.span)), f.around(o.span, o.a.name, o.b.name))
	}
	for _, e := range v.early {
		f.t.Errorf("RELEASED at %s under living work, which went on for %s: %s (%s: %s)\n%s", f.since(e.at), e.by.Round(time.Millisecond),
			e.r.name, e.r.mode, strings.Join(e.who, ", "), f.around(span{e.at, e.at}, e.r.name))
	}
}

// around lists the faults before and during a time, and what the sidecars of these replicas logged.
func (f *fleet) around(s span, names ...string) string {
	var text strings.Builder
	for _, e := range f.all() {
		if !e.to.Before(s.from.Add(-2*f.election.Duration)) && !s.to.Before(e.from) {
			fmt.Fprintf(&text, "  fault %s to %s, web-%d: %s\n", f.since(e.from), f.since(min(e.to, now())), e.index, e.detail)
		}
	}
	for _, r := range f.replicas {
		if name := fmt.Sprintf("web-%d", r.index); slices.Contains(names, name) {
			for _, line := range f.lines(r.sidecar.Log(), span{s.from.Add(-lookBack), s.to.Add(100 * time.Millisecond)}) {
				fmt.Fprintf(&text, "  %s %s\n", name, line)
			}
		}
	}
	return text.String()
}

// lines returns what a sidecar logged in a time, but for its debug lines.
func (f *fleet) lines(log string, s span) []string {
	boot := time.Now().Add(-time.Duration(now())) // the wall clock's reading at the boot clock's zero
	var found []string
	for line := range strings.Lines(log) {
		var entry struct {
			Time     time.Time
			Severity string `json:"level"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Severity == "DEBUG" {
			continue
		}
		at := bootclock.Instant(entry.Time.Sub(boot))
		if at.Before(s.from) || s.to.Before(at) {
			continue
		}
		_, rest, _ := strings.Cut(line, `,`)
		found = append(found, f.since(at)+" "+strings.TrimSpace(rest))
	}
	if len(found) > linesMost {
		found = append(found[:linesMost/2], append([]string{"…"}, found[len(found)-linesMost/2:]...)...)
	}
	return found
}
