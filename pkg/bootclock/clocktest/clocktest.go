// Package clocktest holds the clocks that tests use in place of the machine's.
package clocktest

import (
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Start is what both clocks of a [Hand] show at first: the wall clock 2026-11-22 10:00:00 UTC, the boot clock 812 s.
var Start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

const startInstant = bootclock.Instant(812 * time.Second)

// Hand is a clock that a test moves by hand. Its methods may be called from several goroutines at once.
type Hand struct {
	mu   sync.Mutex
	now  bootclock.Instant
	step time.Duration // of the wall clock against the boot clock
}

var _ bootclock.Clock = (*Hand)(nil)

// NewHand returns a clock that stands at the start: see [Start].
func NewHand() *Hand { return &Hand{now: startInstant} }

// Now returns the boot clock's time.
func (c *Hand) Now() bootclock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Wall returns the wall clock's time.
func (c *Hand) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Start.Add(c.now.Sub(startInstant) + c.step)
}

// NewTimer returns a timer that looks at this clock again and again.
func (c *Hand) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

// Advance moves both clocks on.
func (c *Hand) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves both clocks to where the boot clock shows now.
func (c *Hand) Set(now bootclock.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// StepWall moves the wall clock alone, as an administrator or NTP does.
func (c *Hand) StepWall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step += d
}

// Bubble is the clock of a testing/synctest bubble: both clocks follow the bubble's time.
type Bubble struct{}

var _ bootclock.Clock = Bubble{}

// Now returns the bubble's time.
func (Bubble) Now() bootclock.Instant { return bootclock.Instant(time.Now().UnixNano()) }

// Wall returns the bubble's time.
func (Bubble) Wall() time.Time { return time.Now() }

// NewTimer returns a timer that fires in the bubble's time.
func (c Bubble) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, time.Hour) }
