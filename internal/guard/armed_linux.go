package guard

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// armed is the deadline of a process that is not the guard's own.
type armed struct {
	Order
	fired  bool // Signal has been sent
	resend resend
	family []Member // all of the workload that was seen; filled from the first signal on
	living bool     // some of it lived at the last round of killing
}

// step sends the signals that are due. Once the sidecar is gone (orphaned), the first one is due at once. It reports whether
// the guard of a sidecar that is gone has nothing more to do.
func (a *armed) step(now bootclock.Instant, orphaned bool) (over bool) {
	if !a.fired && (orphaned || !now.Before(a.Deadline)) {
		a.fired = true
		a.gather() // before the signal: the workers of a master that ends at it are no longer below it then
		a.resend.wanted = pending(a.PID, a.Gain)
		_ = signalOne(a.PID, a.StartTime, a.Signal) // an error means that it has ended, or that it cannot be signalled
	}
	if a.resend.due(a.Order, now) {
		_ = signalOne(a.PID, a.StartTime, a.Signal)
	}
	if a.Kill.IsZero() {
		return orphaned && a.fired && !a.resend.wanted
	}
	if now.Before(a.Kill) {
		return false
	}
	living, _ := signalAll(a.gather(), syscall.SIGKILL)
	a.living = living > 0 && now.Before(a.Kill.Add(endTime)) // what cannot be killed by then never can
	return orphaned && !a.living
}

// gather looks for the process, its kin and all that they have started, adds them to the family, and returns those that
// live.
func (a *armed) gather() []process {
	if a.Kill.IsZero() {
		return nil
	}
	if a.family == nil {
		a.family = append([]Member{{PID: a.PID, StartTime: a.StartTime}}, a.Kin...)
	}
	found, err := families(a.family)
	if err != nil { // then it cannot be extended
		for _, m := range a.family {
			found = append(found, process{pid: m.PID, start: m.StartTime})
		}
		return found
	}
	a.family = a.family[:0]
	for _, p := range found {
		a.family = append(a.family, Member{PID: p.pid, StartTime: p.start})
	}
	return found
}

// due returns when something is to be done next by time alone; zero: never.
func (a *armed) due(now bootclock.Instant) (next bootclock.Instant) {
	sooner := func(i bootclock.Instant) {
		if next.IsZero() || i.Before(next) {
			next = i
		}
	}
	if !a.fired {
		sooner(a.Deadline)
	}
	if a.resend.wanted {
		sooner(now.Add(pendingPause))
	}
	switch {
	case a.Kill.IsZero():
	case now.Before(a.Kill):
		sooner(a.Kill)
	case a.living:
		sooner(now.Add(killPause))
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
func (r *resend) due(o Order, now bootclock.Instant) bool {
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
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false // it has ended
	}
	_, rest, _ := strings.Cut(string(b), "\nShdPnd:")
	line, _, _ := strings.Cut(rest, "\n")
	mask, _ := strconv.ParseUint(strings.TrimSpace(line), 16, 64) // an error leaves 0: none is pending
	for _, s := range signals {
		if s > 0 && mask>>(s-1)&1 == 1 {
			return true
		}
	}
	return false
}
