package guard

import (
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// armed enforces the deadlines of a process that the guard did not start.
type armed struct {
	procfs.Order
	fired  bool // Signal was sent
	resend resend
	family []procfs.ID // every process of the workload that was seen; filled from the first signal on
	living bool        // some of it was alive in the last round of killing
}

// step sends the signals that are due. Once the sidecar is gone (orphaned), the first is due at once. It reports whether an
// orphaned guard has nothing more to do.
func (a *armed) step(now bootclock.Instant, orphaned bool) (over bool) {
	if !a.fired && (orphaned || !now.Before(a.Deadline)) {
		a.fired = true
		a.gather() // before the signal: when a master ends, its workers are no longer its descendants
		a.resend.wanted = pending(a.PID, a.Gain)
		_ = procfs.Send(a.ID, a.Signal) // an error means that it has ended, or cannot be signalled
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
	a.living = living > 0 && now.Before(a.Kill.Add(endTime)) // what is alive by then cannot be killed
	return orphaned && !a.living
}

// gather adds the process, its kin and their descendants to the family, and returns those that are alive.
func (a *armed) gather() []procfs.Process {
	if a.Kill.IsZero() {
		return nil
	}
	if a.family == nil {
		a.family = append([]procfs.ID{a.ID}, a.Kin...)
	}
	var found []procfs.Process
	all, err := procfs.Read()
	if err != nil { // then it cannot grow
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

// due returns when step has work next; zero: never.
func (a *armed) due(now bootclock.Instant) (next bootclock.Instant) {
	if !a.fired {
		next = a.Deadline
	}
	if a.resend.wanted {
		next = sooner(next, now.Add(PendingPause))
	}
	switch {
	case a.Kill.IsZero():
	case now.Before(a.Kill):
		next = sooner(next, a.Kill)
	case a.living:
		next = sooner(next, now.Add(killRound))
	}
	return next
}

// How signals that may be pending together are timed. Package process keeps to the same.
const (
	// HandlingTime is how long a process has to handle signals that it has taken before the next one may follow.
	HandlingTime = 50 * time.Millisecond
	// PendingPause is the pause between looks at a process with pending signals.
	PendingPause = 20 * time.Millisecond
)

// resend sends a loss signal again. That is wanted if the gain signal was still pending when the loss signal was sent: the
// process may handle the two in either order, and the loss must be last.
type resend struct {
	wanted  bool
	handled bootclock.Instant // when the process has had its time to handle both
}

// due reports, once, whether to send the signal again now.
func (r *resend) due(o procfs.Order, now bootclock.Instant) bool {
	switch {
	case !r.wanted:
		return false
	case pending(o.PID, o.Gain, o.Signal):
		r.handled = now.Add(HandlingTime)
		return false
	case now.Before(r.handled):
		return false
	}
	r.wanted = false
	return true
}

// pending reports whether one of the signals was sent to the process and is not yet taken by any thread.
func pending(pid int, signals ...syscall.Signal) bool {
	does, err := procfs.ReadSignals(pid)
	return err == nil && slices.ContainsFunc(signals, does.Pending.Has) // an error means that it has ended
}
