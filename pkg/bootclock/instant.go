package bootclock

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrUnsupported is returned where the operating system has no boot clock that processes can share.
var ErrUnsupported = errors.New("no boot clock on this operating system: run the sidecar on Linux")

// Instant is a point on the boot clock, in nanoseconds since boot. The zero Instant stands for "none".
type Instant int64

// Add returns the instant d after i, or before it where d is negative. It saturates instead of wrapping.
func (i Instant) Add(d time.Duration) Instant {
	sum := i + Instant(d)
	switch {
	case d > 0 && sum < i:
		return Instant(1<<63 - 1)
	case d < 0 && sum > i:
		return Instant(-1 << 63)
	}
	return sum
}

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Before reports whether i comes before j.
func (i Instant) Before(j Instant) bool { return i < j }

// IsZero reports whether i stands for "none".
func (i Instant) IsZero() bool { return i == 0 }

// String prints the instant as the decimal nanoseconds that the documents carry.
func (i Instant) String() string { return strconv.FormatInt(int64(i), 10) }

// Parse reads an instant as [Instant.String] prints it. It refuses anything but decimal nanoseconds ≥ 0.
func Parse(s string) (Instant, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("parse boot-clock instant %q: want decimal nanoseconds since boot", s)
	}
	return Instant(n), nil
}

// Clock reads the boot clock and the wall clock. The election reads time through it alone, so that tests can supply their own.
type Clock interface {
	// Now returns the boot clock's reading.
	Now() Instant
	// Wall returns the wall clock's reading, for people and for documents; no deadline may depend on it.
	Wall() time.Time
	// NewTimer returns a timer of this clock that has not been set. Stop it when done.
	NewTimer() Timer
}

// System is the machine's own clock.
type System struct{}

var _ Clock = System{}

// Wall returns the machine's wall clock.
func (System) Wall() time.Time { return time.Now() }
