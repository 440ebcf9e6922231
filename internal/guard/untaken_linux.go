package guard

import (
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// handling is how long a process has to handle what it has taken before the next signal may follow.
	handling = 50 * time.Millisecond
	// takenPause is the pause between looks at a process that has not taken its signals yet.
	takenPause = 20 * time.Millisecond
)

// debt is a signal that is sent once more, as the process had not taken the one that it takes back when it was sent
// first: of two that wait together either may be handled last.
type debt struct {
	owed    bool
	handled bootclock.Instant // when the process has had its time for both
}

// due reports whether it is time to pay, once.
func (d *debt) due(o procfs.Order, now bootclock.Instant) bool {
	switch {
	case !d.owed:
		return false
	case untaken(o.PID, o.Gain, o.Signal):
		d.handled = now.Add(handling)
		return false
	case now.Before(d.handled):
		return false
	}
	d.owed = false
	return true
}

// untaken reports whether one of the signals waits until a thread of the process takes it.
func untaken(pid int, signals ...syscall.Signal) bool {
	does, err := procfs.ReadSignals(pid)
	return err == nil && slices.ContainsFunc(signals, does.Pending.Has) // an error means that it has ended
}
