//go:build linux

package work

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// span is a time on the boot clock.
type span struct{ from, to bootclock.Instant }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// joined returns the same instants as spans in order, with no two closer than gap.
func joined(spans []span, gap time.Duration) []span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var all []span
	for _, s := range spans {
		if last := len(all) - 1; last >= 0 && !all[last].to.Add(gap).Before(s.from) {
			all[last].to = max(all[last].to, s.to)
			continue
		}
		all = append(all, s)
	}
	return all
}

// common returns the instants that both sets have. One mark is an instant of work, so a span may have no length.
func common(a, b []span) []span {
	var both []span
	for _, s := range a {
		for _, o := range b {
			if c := (span{max(s.from, o.from), min(s.to, o.to)}); !c.to.Before(c.from) {
				both = append(both, c)
			}
		}
	}
	return joined(both, 0)
}

// total adds up spans and finds the longest.
func total(spans []span) (sum, longest time.Duration) {
	for _, s := range spans {
		sum += s.length()
		longest = max(longest, s.length())
	}
	return sum, longest
}

// between returns what lies between the spans, which are joined, within the first's start and end.
func between(spans []span, end bootclock.Instant) []span {
	var gaps []span
	for i, s := range spans {
		next := end
		if i+1 < len(spans) {
			next = spans[i+1].from
		}
		if s.to.Before(next) {
			gaps = append(gaps, span{s.to, next})
		}
	}
	return gaps
}

func TestSpans(t *testing.T) {
	list := func(ends ...bootclock.Instant) (spans []span) {
		for i := 0; i+1 < len(ends); i += 2 {
			spans = append(spans, span{ends[i], ends[i+1]})
		}
		return spans
	}
	for _, tc := range []struct {
		name      string
		got, want []span
	}{
		{"joined", joined(list(5, 9, 1, 3, 2, 4, 9, 10), 0), list(1, 4, 5, 10)},
		{"joined over a gap", joined(list(1, 3, 5, 9, 12, 13), 2), list(1, 9, 12, 13)},
		{"common: in part", common(list(1, 5), list(4, 8)), list(4, 5)},
		{"common: a single mark within", common(list(1, 5), list(3, 3)), list(3, 3)},
		{"common: one after the other", common(list(1, 5), list(6, 8)), nil},
		{"common: twice", common(list(1, 9), list(2, 3, 5, 6)), list(2, 3, 5, 6)},
		{"between", between(list(1, 3, 5, 9), 12), list(3, 5, 9, 12)},
		{"between: to the end", between(list(1, 12), 12), nil},
	} {
		if diff := gocmp.Diff(tc.want, tc.got, gocmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
