//go:build linux

package chaos

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// span is a stretch of the boot clock, its ends included: a single mark of work has no length.
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

// without returns the instants of spans that no hole has, joined.
func without(spans, holes []span) []span {
	var rest []span
	for _, s := range joined(spans, 0) {
		for _, h := range joined(holes, 0) {
			if s.from.Before(h.from) && h.from.Before(s.to) {
				rest = append(rest, span{s.from, h.from})
			}
			if h.from.Before(s.to) && s.from.Before(h.to) {
				s.from = min(h.to, s.to)
			}
		}
		if s.from.Before(s.to) {
			rest = append(rest, s)
		}
	}
	return rest
}

// common returns the instants that both sets have, joined.
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

// atOnce returns the instants that at least two of the given sets have, joined.
func atOnce(sets ...[]span) []span {
	var twice []span
	for i, a := range sets {
		for _, b := range sets[i+1:] {
			twice = append(twice, common(a, b)...)
		}
	}
	return joined(twice, 0)
}

// lengths adds up spans and finds the longest.
func lengths(spans []span) (total, longest time.Duration) {
	for _, s := range spans {
		total += s.length()
		longest = max(longest, s.length())
	}
	return total, longest
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
		{"joined: one within another", joined(list(1, 9, 2, 3), 0), list(1, 9)},
		{"joined over a gap", joined(list(1, 3, 5, 9, 12, 13), 2), list(1, 9, 12, 13)},
		{"without a hole in the middle", without(list(1, 9), list(3, 5)), list(1, 3, 5, 9)},
		{"without a hole at each end", without(list(1, 9), list(0, 2, 8, 12)), list(2, 8)},
		{"without all", without(list(1, 9), list(0, 10)), nil},
		{"without what is elsewhere", without(list(1, 3, 7, 9), list(4, 6)), list(1, 3, 7, 9)},
		{"without a hole over two", without(list(1, 4, 6, 9), list(3, 7)), list(1, 3, 7, 9)},
		{"without: what lies between, and to the end", without(list(1, 12), list(1, 3, 5, 9)), list(3, 5, 9, 12)},
		{"common: in part", common(list(1, 5), list(4, 8)), list(4, 5)},
		{"common: a window", common(list(1, 4, 6, 9, 11, 12), list(3, 8)), list(3, 4, 6, 8)},
		{"common: a single mark within", common(list(1, 5), list(3, 3)), list(3, 3)},
		{"common: one after the other", common(list(1, 5), list(6, 8)), nil},
		{"common: twice", common(list(1, 9), list(2, 3, 5, 6)), list(2, 3, 5, 6)},
		{"at once: two", atOnce(list(1, 5), list(4, 8)), list(4, 5)},
		{"at once: one after the other", atOnce(list(1, 5), list(6, 8)), nil},
		{"at once: three", atOnce(list(0, 10), list(2, 4, 6, 8), list(3, 7)), list(2, 8)},
	} {
		if diff := gocmp.Diff(tc.want, tc.got, gocmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
