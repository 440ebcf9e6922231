package process

import (
	"time"

	"golang.org/x/sys/unix"
)

// meter measures what a look costs. It counts processor time: a sidecar that is starved or throttled waits long for its looks, and
// they cost no more for that.
type meter struct {
	began time.Time
	used  time.Duration
}

func startMeter() meter { return meter{began: time.Now(), used: processorTime()} }

// read returns the processor time since the start. What others in this program used meanwhile counts, so it is no more than the
// time that has passed.
func (m meter) read() time.Duration { return min(time.Since(m.began), processorTime()-m.used) }

// processorTime returns what this program has used so far.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
