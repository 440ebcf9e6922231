//go:build linux

package harness

import (
	"cmp"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Count returns for how long, between two instants, no replica led by these terms, and for how long two did at once.
func Count(terms []Term, from, to bootclock.Instant) (without, twice time.Duration) {
	sorted := slices.SortedFunc(slices.Values(terms), func(a, b Term) int { return cmp.Compare(a.From, b.From) })
	covered, last := from, "" // until when somebody led, and who did longest
	for _, term := range sorted {
		begin, end := max(term.From, from), min(term.To, to)
		if !begin.Before(end) {
			continue
		}
		switch {
		case covered.Before(begin):
			without += begin.Sub(covered)
		case term.Replica != last:
			twice += min(end, covered).Sub(begin)
		}
		if covered.Before(end) {
			covered, last = end, term.Replica
		}
	}
	return without + to.Sub(min(covered, to)), twice
}
