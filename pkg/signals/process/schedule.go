//go:build linux

package process

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// How often /proc is read. That costs in proportion to the processes there, so the pause grows with the time it took, once the
// process has been found: its end comes as an event.
const (
	// lookSoon is the pause after an end, or while a process cannot be signalled: it may just be starting. It is also the pause
	// after a gain: the process starts its workers then, and workers that were never seen while it lived cannot be recognized as its own
	// once it has crashed.
	lookSoon  = 100 * time.Millisecond
	soonFor   = 3 * time.Second
	lookPause = time.Second
	lookMax   = 10 * time.Second
	idleShare = 2000 // the pause is as many times what a look took: 0.05 % of a core
	// takenPause is the pause between views of a process whose signal is held back. A view reads two small files.
	takenPause = 20 * time.Millisecond
)

// schedule says when decide is to be called again.
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
		sooner(s.now.Add(takenPause))
	}
	if s.awaits {
		sooner(s.lookAgainAt())
	}
	if !s.out.wait.IsZero() {
		sooner(s.out.wait)
	}
	s.out.next = max(next, 1)
}

// waits reports whether the process's next signal is held back.
func (m *machine) waits() bool { return m.held != nil && m.held.heldBack }

// closely reports whether the next view has to show what the process does with signals. A renewal needs none of that.
func (m *machine) closely() bool { return m.turning || m.awaits || m.waits() || m.pending.find }

// startingWorkers reports whether the process got the gain a short time ago, and may be starting its workers.
func (s *step) startingWorkers() bool {
	return !s.gained.IsZero() && s.now.Before(s.gained.Add(soonFor))
}

// lookInterval returns the pause until the next look.
func (s *step) lookInterval() time.Duration {
	if s.failure != nil && !s.waits() || s.now.Before(s.lookOftenUntil) || s.startingWorkers() {
		return lookSoon
	}
	if s.held == nil { // somebody waits for the process
		return lookPause
	}
	return min(max(s.took*idleShare, lookPause), lookMax)
}

// close sets the kill deadline of what the fence waits for to now, as nobody would kill it later. It reports whether there is any.
func (m *machine) close(now bootclock.Instant) (kills bool) {
	m.closing, m.killAgainAt = true, 0
	m.kill = min(m.kill, now)
	return !m.kill.IsZero()
}
