package child

import "time"

// The pauses before a replica whose program ended by itself campaigns again.
const (
	firstPause = time.Second
	maxPause   = time.Minute
	// steady is how long a program must have run to count as well: its next end is a first one again.
	steady = time.Minute
)

// Backoff reckons how long a replica stays out of the election when its program ends by itself, so that a program which
// cannot start does not chase leadership from replica to replica. The zero value is ready.
type Backoff struct{ last time.Duration }

// Next returns the pause after a program that has run for so long: 1 s after the first end, twice the last one after
// each further one, at most a minute.
func (b *Backoff) Next(ran time.Duration) time.Duration {
	switch {
	case b.last == 0, ran >= steady:
		b.last = firstPause
	default:
		b.last = min(2*b.last, maxPause)
	}
	return b.last
}
