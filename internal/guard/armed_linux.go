package guard

import (
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// armed is a deadline for a process that is not the guard's own.
type armed struct {
	procfs.Order
	fired  bool // Signal has been sent
	debt   debt
	family []procfs.ID // all of the workload that was seen; filled from the first signal on
	living bool        // some of it lived at the last round of killing
}

// step sends the signals that are due. Without a sidecar the first is due at once. It reports whether nothing more is to be
// done for a guard whose sidecar is gone.
func (a *armed) step(now bootclock.Instant, orphaned bool) (over bool) {
	if !a.fired && (orphaned || !now.Before(a.Deadline)) {
		a.fired = true
		a.gather() // before the signal: the workers of a master that ends at it are nobody's children then
		a.debt.owed = untaken(a.PID, a.Gain)
		_ = procfs.Send(a.ID, a.Signal) // an error means that it has ended, or that nobody can help it
	}
	if a.debt.due(a.Order, now) {
		_ = procfs.Send(a.ID, a.Signal)
	}
	if a.Kill.IsZero() {
		return orphaned && a.fired && !a.debt.owed
	}
	if now.Before(a.Kill) {
		return false
	}
	living, _ := strikeAll(a.gather(), syscall.SIGKILL)
	a.living = living > 0 && now.Before(a.Kill.Add(endTime)) // who cannot be killed by then never can
	return orphaned && !a.living
}

// gather looks for the process, its kin and all that they have started, adds them to the family, and returns who lives.
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

// due returns when time alone makes something due; zero: never.
func (a *armed) due(now bootclock.Instant) (next bootclock.Instant) {
	sooner := func(i bootclock.Instant) {
		if next.IsZero() || i.Before(next) {
			next = i
		}
	}
	if !a.fired {
		sooner(a.Deadline)
	}
	if a.debt.owed {
		sooner(now.Add(takenPause))
	}
	switch {
	case a.Kill.IsZero():
	case now.Before(a.Kill):
		sooner(a.Kill)
	case a.living:
		sooner(now.Add(again))
	}
	return next
}
