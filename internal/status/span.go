package status

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// aheadMost is how far a writer's clock may be ahead of this machine's for the difference to count as an estimate at all.
const aheadMost = 5 * time.Second

// Span is a length of time. The zero Span is unknown.
type Span struct {
	// Length is its length. Known says that there is one, Estimated that clocks of two machines were compared.
	Length           time.Duration
	Known, Estimated bool
}

// String returns the span as kubectl shows durations, with ~ before an estimate; "<unknown>" for an unknown one.
func (s Span) String() string {
	if !s.Known {
		return "<unknown>"
	}
	return estimate(s.Estimated) + duration.HumanDuration(max(s.Length, 0))
}

// estimate is the mark before what is only estimated.
func estimate(is bool) string {
	if is {
		return "~"
	}
	return ""
}

// sinceWrite returns how long ago the Lease was last written.
func (s Seen) sinceWrite(now Moment) Span {
	watched := now.Boot.Sub(s.At.Boot)
	if s.Watched {
		return Span{Length: watched, Known: true, Estimated: s.Blind}
	}
	byClocks := now.Wall.Sub(s.Record.RenewTime)
	if s.Record.RenewTime.IsZero() || byClocks < -aheadMost {
		return Span{Length: watched} // at least that long
	}
	return Span{Length: max(byClocks, watched, 0), Known: true, Estimated: true}
}

// left returns how long the Lease is still valid; negative once it has expired. It is measured, too, where the Lease was watched
// for all of its validity without a write.
func (s Seen) left(now Moment) Span {
	since := s.sinceWrite(now)
	if watched := now.Boot.Sub(s.At.Boot); !s.Blind && watched >= s.Record.Validity() {
		since = Span{Length: max(since.Length, watched), Known: true, Estimated: false}
	}
	since.Length = s.Record.Validity() - since.Length
	return since
}

// termAge returns how long the term of the holder has lasted. Where the take was not watched, that is an estimate, of the holder's own
// clock from the take to the last renewal, and of ours since then.
func (s Seen) termAge(now Moment) Span {
	if s.TermAt != (Moment{}) {
		return Span{Length: now.Boot.Sub(s.TermAt.Boot), Known: true}
	}
	renewing := s.Record.RenewTime.Sub(s.Record.AcquireTime)
	since := s.sinceWrite(now)
	if s.Record.AcquireTime.IsZero() || renewing < 0 || !since.Known {
		return Span{}
	}
	return Span{Length: since.Length + renewing, Known: true, Estimated: true}
}

// clockLag returns by how much the writer's clock was behind this machine's when a watched write arrived.
func (s Seen) clockLag() (lag time.Duration, known bool) {
	if !s.Watched || s.Record.RenewTime.IsZero() {
		return 0, false
	}
	return s.At.Wall.Sub(s.Record.RenewTime), true
}
