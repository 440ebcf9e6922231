package demo

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// span is a stretch of time in which one reader believed in one term of one replica.
type span struct {
	from, to bootclock.Instant
	token    string
}

// track is what one reader saw over time, newest last.
type track struct {
	spans []span
	open  bool // the newest look said "leader"
}

// look notes an answer that was true at some instant from asked to answered. Only what lies surely between two
// equal answers is counted, so that slow looks never make up an overlap.
func (t *track) look(asked, answered bootclock.Instant, leads bool, token string) {
	switch {
	case !leads:
	case t.open && t.spans[len(t.spans)-1].token == token:
		if last := &t.spans[len(t.spans)-1]; last.to.Before(asked) {
			last.to = asked
		}
	default:
		t.spans = append(t.spans, span{from: answered, to: answered, token: token})
	}
	t.open = leads
}

// last returns the newest span; false where there has been none.
func (t *track) last() (span, bool) {
	if len(t.spans) == 0 {
		return span{}, false
	}
	return t.spans[len(t.spans)-1], true
}

// common returns how long the spans of both tracks ran at once.
func common(a, b *track) (sum time.Duration) {
	for _, s := range a.spans {
		for _, o := range b.spans {
			if from, to := max(s.from, o.from), min(s.to, o.to); from < to {
				sum += to.Sub(from)
			}
		}
	}
	return sum
}

// overlap returns for how long two replicas believed at once, each through any of its readers: readers[i] are
// replica i's. Pairs of readers are summed, which can only make it longer.
func overlap(readers [][]*track) (sum time.Duration) {
	for i := range readers {
		for j := range i {
			for _, a := range readers[i] {
				for _, b := range readers[j] {
					sum += common(a, b)
				}
			}
		}
	}
	return sum
}
