//go:build !linux

package bootclock

import "time"

var started = time.Now()

// Now returns the time since this process started: good for measuring, useless for sharing a deadline, as [ID] fails here.
func (System) Now() Instant { return Instant(time.Since(started)) + 1 }

// ID returns [ErrUnsupported].
func ID() (string, error) { return "", ErrUnsupported }

// NewTimer returns a timer that looks at the clock again and again.
func (System) NewTimer() Timer { return NewPolledTimer(System{}.Now, 0) }
