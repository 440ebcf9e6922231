//go:build linux

package simulate

import (
	"slices"
	"time"
)

// span is an interval of true time in which somebody was told to lead, or worked.
type span struct {
	from, to time.Duration
	who      string
	theirs   bool // client-go's
	token    string
	excused  bool // work past its deadline of an app that nobody can end
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
		open = slices.DeleteFunc(open, func(o span) bool { return o.to <= s.from })
		for _, o := range open {
			if o.who != s.who && s.to > s.from {
				found = append(found, overlap{o, s})
			}
		}
		if s.to > s.from {
			open = append(open, s)
		}
	}
	return found
}
