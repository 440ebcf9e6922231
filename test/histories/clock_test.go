package histories_test

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// nodeClock is the boot clock of a machine in a bubble: it goes at its own rate, from a reading of its own.
type nodeClock struct {
	began time.Time
	rate  float64
	skew  bootclock.Instant
}

// Now implements [bootclock.Clock].
func (c nodeClock) Now() bootclock.Instant {
	return c.skew + bootclock.Instant(float64(time.Since(c.began))*c.rate) + 1
}

// Wall implements [bootclock.Clock].
func (c nodeClock) Wall() time.Time { return time.Now() }

// NewTimer returns a timer that looks at this clock.
func (c nodeClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

// stallingClock is a node's clock as a process reads it that is frozen at times: a reading is one of the places where
// it stands still.
type stallingClock struct {
	nodeClock
	thawed func() // returns once the process is not frozen
}

// Now implements [bootclock.Clock].
func (c stallingClock) Now() bootclock.Instant {
	c.thawed()
	return c.nodeClock.Now()
}
