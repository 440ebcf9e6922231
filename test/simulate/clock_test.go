//go:build linux

package simulate

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// machineClock is one candidate's pair of clocks, as functions of true time. Its boot clock runs at a rate of its own;
// its wall clock follows the boot clock, unless somebody steps or stops it.
type machineClock struct {
	skew time.Duration // of the boot clock at true time 0
	ppm  int64         // how much faster than true time it runs

	wallStep time.Duration
	wallStop bootclock.Instant // the wall clock shows this boot time for as long as it is not 0
}

var wallEpoch = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func (c *machineClock) boot(at time.Duration) bootclock.Instant {
	return bootclock.Instant(c.skew + at + at/1_000_000*time.Duration(c.ppm) + at%1_000_000*time.Duration(c.ppm)/1_000_000)
}

// trueTime returns the first true instant at which the boot clock shows i or more.
func (c *machineClock) trueTime(i bootclock.Instant) time.Duration {
	at := time.Duration(float64(i.Sub(bootclock.Instant(c.skew))) / (1 + float64(c.ppm)/1e6))
	for c.boot(at) >= i {
		at--
	}
	for c.boot(at) < i {
		at++
	}
	return at
}

func (c *machineClock) wall(at time.Duration) time.Time {
	boot := c.boot(at)
	if c.wallStop != 0 {
		boot = c.wallStop
	}
	return wallEpoch.Add(boot.Sub(bootclock.Instant(c.skew)) + c.wallStep)
}
