//go:build linux

package chaos

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// span is a stretch of the boot clock.
type span struct{ from, to bootclock.Instant }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// joined returns the same instants as spans that neither overlap nor touch, in order.
func joined(spans []span) []span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var all []span
	for _, s := range spans {
		if last := len(all) - 1; last >= 0 && !all[last].to.Before(s.from) {
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
	for _, s := range joined(spans) {
		for _, h := range joined(holes) {
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

// clipped returns the instants of spans that lie in window, joined.
func clipped(spans []span, window span) []span {
	var in []span
	for _, s := range joined(spans) {
		s = span{max(s.from, window.from), min(s.to, window.to)}
		if s.from.Before(s.to) {
			in = append(in, s)
		}
	}
	return in
}

// atOnce returns the instants that at least two of the given sets have, joined. Each set is joined already.
func atOnce(sets ...[]span) []span {
	var twice []span
	for i, a := range sets {
		for _, b := range sets[i+1:] {
			for _, s := range b {
				twice = append(twice, clipped(a, s)...)
			}
		}
	}
	return joined(twice)
}

// lengths adds up spans and finds the longest.
func lengths(spans []span) (total, longest time.Duration) {
	for _, s := range spans {
		total += s.length()
		longest = max(longest, s.length())
	}
	return total, longest
}

// lengthsOf returns how long each is.
func lengthsOf(spans []span) []time.Duration {
	var all []time.Duration
	for _, s := range spans {
		all = append(all, s.length())
	}
	return all
}

// rank returns the least value that at least that share of all does not exceed, 0 where there are none.
func rank(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[max(0, int(math.Ceil(share*float64(len(values))))-1)]
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
		{"joined", joined(list(5, 9, 1, 3, 2, 4, 9, 10)), list(1, 4, 5, 10)},
		{"joined: one within another", joined(list(1, 9, 2, 3)), list(1, 9)},
		{"without a hole in the middle", without(list(1, 9), list(3, 5)), list(1, 3, 5, 9)},
		{"without a hole at each end", without(list(1, 9), list(0, 2, 8, 12)), list(2, 8)},
		{"without all", without(list(1, 9), list(0, 10)), nil},
		{"without what is elsewhere", without(list(1, 3, 7, 9), list(4, 6)), list(1, 3, 7, 9)},
		{"without a hole over two", without(list(1, 4, 6, 9), list(3, 7)), list(1, 3, 7, 9)},
		{"clipped", clipped(list(1, 4, 6, 9, 11, 12), span{3, 8}), list(3, 4, 6, 8)},
		{"at once: two", atOnce(list(1, 5), list(4, 8)), list(4, 5)},
		{"at once: ends meet", atOnce(list(1, 5), list(5, 8)), nil},
		{"at once: three", atOnce(list(0, 10), list(2, 4, 6, 8), list(3, 7)), list(2, 8)},
	} {
		if diff := gocmp.Diff(tc.want, tc.got, gocmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestRank(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for _, tc := range []struct {
		share float64
		want  time.Duration
	}{{0.5, 3}, {0.99, 5}, {0, 1}, {0.2, 1}, {0.21, 2}, {1, 5}} {
		if got := rank(values, tc.share); got != tc.want {
			t.Errorf("rank(%v, %v) = %d, want %d", values, tc.share, got, tc.want)
		}
	}
	if got := rank(nil, 0.5); got != 0 {
		t.Errorf("the rank of nothing is %d", got)
	}
}
