//go:build linux

package process

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// How often /proc is read. The cost grows with the number of processes, so once the process is found the pause grows with
// it: the end of the process comes as an event.
const (
	// lookSoon is the pause after an end and while a process cannot be signalled, since it may be starting. It is also the pause
	// after a gain, when the process starts its workers: workers not seen before a crash cannot be recognized after it.
	lookSoon  = 100 * time.Millisecond
	soonFor   = 3 * time.Second
	lookPause = time.Second
	lookMax   = 10 * time.Second
	idleShare = 2000 // the pause is this many times the cost of a look: 0.05 % of a core
)

// schedule sets when decide must be called again.
func (s *step) schedule() {
	s.out.failure = s.failure
	if !s.known {
		return
	}
	if s.startingWorkers() {
		s.nextLook = min(s.nextLook, s.now.Add(lookSoon))
	}
	next := s.nextLook
	sooner := func(at bootclock.Instant) { next = min(next, at) }
	if !s.kill.IsZero() {
		sooner(max(s.kill, s.killAgainAt))
	}
	if s.waits() {
		sooner(s.now.Add(guard.PendingPause)) // a view reads two small files
	}
	if s.awaits {
		sooner(s.lookAgainAt())
	}
	if !s.out.wait.IsZero() {
		sooner(s.out.wait)
	}
	s.out.next = max(next, 1)
}

func (m *machine) waits() bool { return m.held != nil && m.held.heldBack }

// closely reports whether the next view must show how the process handles signals. A renewal does not need it.
func (m *machine) closely() bool { return m.turning || m.awaits || m.waits() || m.pending.find }

// startingWorkers reports whether the process got the gain so recently that it may still be starting its workers.
func (s *step) startingWorkers() bool {
	return !s.gained.IsZero() && s.now.Before(s.gained.Add(soonFor))
}

func (s *step) lookInterval() time.Duration {
	if s.failure != nil && !s.waits() || s.now.Before(s.lookOftenUntil) || s.startingWorkers() {
		return lookSoon
	}
	if s.held == nil { // somebody waits for the process
		return lookPause
	}
	return min(max(s.took*idleShare, lookPause), lookMax)
}

// close sets the fence's kill deadline to now, as nobody would kill later. It reports whether anything is to be killed.
func (m *machine) close(now bootclock.Instant) (kills bool) {
	m.closing, m.killAgainAt = true, 0
	m.kill = min(m.kill, now)
	return !m.kill.IsZero()
}
