package guard

import (
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// armed is the deadline of a process that is not the guard's own.
type armed struct {
	procfs.Order
	fired  bool // Signal has been sent
	resend resend
	family []procfs.ID // all of the workload that was seen; filled from the first signal on
	living bool        // some of it lived at the last round of killing
}

// step sends the signals that are due. Once the sidecar is gone (orphaned), the first one is due at once. It reports whether
// the guard of a sidecar that is gone has nothing more to do.
func (a *armed) step(now bootclock.Instant, orphaned bool) (over bool) {
	if !a.fired && (orphaned || !now.Before(a.Deadline)) {
		a.fired = true
		a.gather() // before the signal: the workers of a master that ends at it are no longer below it then
		a.resend.wanted = pending(a.PID, a.Gain)
		_ = procfs.Send(a.ID, a.Signal) // an error means that it has ended, or that it cannot be signalled
	}
	if a.resend.due(a.Order, now) {
		_ = procfs.Send(a.ID, a.Signal)
	}
	if a.Kill.IsZero() {
		return orphaned && a.fired && !a.resend.wanted
	}
	if now.Before(a.Kill) {
		return false
	}
	living, _ := procfs.SignalAll(a.gather(), syscall.SIGKILL)
	a.living = living > 0 && now.Before(a.Kill.Add(endTime)) // what cannot be killed by then never can
	return orphaned && !a.living
}

// gather looks for the process, its kin and all that they have started, adds them to the family, and returns those that
// live.
func (a *armed) gather() []procfs.Process {
	if a.Kill.IsZero() {
		return nil
	}
	if a.family == nil {
		a.family = append([]procfs.ID{a.ID}, a.Kin...)
	}
	var found []procfs.Process
	all, err := procfs.Read()
	if err != nil { // then it cannot be extended
		for _, id := range a.family {
			found = append(found, procfs.Process{ID: id})
		}
		return found
	}
	found = all.Families(a.family...)
	a.family = a.family[:0]
	for _, p := range found {
		a.family = append(a.family, p.ID)
	}
	return found
}

// due returns when something is to be done next by time alone; zero: never.
func (a *armed) due(now bootclock.Instant) (next bootclock.Instant) {
	if !a.fired {
		next = a.Deadline
	}
	if a.resend.wanted {
		next = sooner(next, now.Add(pendingPause))
	}
	switch {
	case a.Kill.IsZero():
	case now.Before(a.Kill):
		next = sooner(next, a.Kill)
	case a.living:
		next = sooner(next, now.Add(killPause))
	}
	return next
}

const (
	// handlingTime is how long a process has to handle the signals that it has taken before the next one may follow.
	handlingTime = 50 * time.Millisecond
	// pendingPause is the pause between looks at a process that has not taken its signals yet.
	pendingPause = 20 * time.Millisecond
)

// resend is the second sending of a loss signal. It is wanted if the gain signal was still pending when the loss signal was
// sent: the process may handle two pending signals in either order, and the loss must be the last.
type resend struct {
	wanted  bool
	handled bootclock.Instant // when the process has had its time to handle both
}

// due reports whether it is time to send the signal again. It does so once.
func (r *resend) due(o procfs.Order, now bootclock.Instant) bool {
	switch {
	case !r.wanted:
		return false
	case pending(o.PID, o.Gain, o.Signal):
		r.handled = now.Add(handlingTime)
		return false
	case now.Before(r.handled):
		return false
	}
	r.wanted = false
	return true
}

// pending reports whether one of the signals has been sent to the process and not been taken by any of its threads.
func pending(pid int, signals ...syscall.Signal) bool {
	does, err := procfs.ReadSignals(pid)
	return err == nil && slices.ContainsFunc(signals, does.Pending.Has) // an error means that it has ended
}
