// Package runlock sees whether the workload runs by a lock that the workload holds on run.lock in the signal directory: a
// shared flock, or a POSIX read lock as Java's FileChannel takes. The kernel drops it when the last process that has it
// ends, for whatever reason, so the end of the lock is the end of the workload.
//
// It promises not to hold the lock itself, so that no attempt of the workload fails or waits because of a look, except at
// two instants: between two consecutive system calls, when it looks at a lock without a known holder some time after the
// file was opened; and within the kernel, when the last holder has let go.
//
// It does not see a lock in another kernel (a network file system, or a sandbox such as gVisor that keeps locks to itself),
// nor a program that works on after it has closed the descriptor (closefrom).
//
//	workload opens run.lock ── inotify ──▶ look, some times ── held ──▶ wait in the kernel ──▶ free: stopped
//
// The package is for Linux. [Keep] holds the lock for a command that cannot.
package runlock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// fileName is the lock's name in the signal directory.
const fileName = "run.lock"

// lookAfter are the times of the looks after somebody opened the file. The first is late enough not to disturb a program
// that opens the file and locks it at once.
var lookAfter = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// eventPause bounds how often openings of the file wake this process.
const eventPause = 10 * time.Millisecond

// Config says where the lock is. Every field is required.
type Config struct {
	// Dir is the signal directory, which must exist.
	Dir string
	// Clock judges whether this replica leads, and times the looks.
	Clock bootclock.Clock
	// Ended is called when the last holder has gone while this replica leads. It may block for a while.
	Ended func()
	// Log records who came and went (Info), and what cannot be seen (Warn, when it changes).
	Log *slog.Logger
}

// RunLock sees the workload by the run lock. Make it with [New], drive it with [RunLock.Run], end it with [RunLock.Close].
// It is safe for concurrent use.
type RunLock struct {
	*sight.Presence
	cfg     Config
	dir     dir
	opens   *opens        // nil if the kernel has none left
	stirred atomic.Bool   // others may have opened the file
	turned  chan struct{} // a transition or an opening: asks Run for a series of looks
	renewed chan struct{} // a renewal: asks Run for one look

	mu      sync.Mutex
	file    *os.File // nil if it could not be made
	awaited bool     // a goroutine waits for the holder's end
	trouble trouble.Last
	end     context.CancelFunc
	waiting context.Context //nolint:containedctx // the lock's own lifetime, ended by Close; not a caller's
	joined  sync.WaitGroup
}

var _ sight.Sight = (*RunLock)(nil)

// New makes the lock file and looks at it once. It fails only if the directory cannot be opened.
func New(cfg Config) (*RunLock, error) {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open signal directory %s: %w", cfg.Dir, err)
	}
	l := &RunLock{cfg: cfg, dir: dir{root}, turned: make(chan struct{}, 1), renewed: make(chan struct{}, 1)}
	l.Presence = sight.NewPresence(sight.PresenceConfig{Clock: cfg.Clock, Ended: cfg.Ended, Log: cfg.Log},
		sight.Note{Text: "the workload holds the run lock", Reason: "RunLockHeld"},
		sight.Note{Text: "the run lock is free: its last holder has ended, or released it", Reason: "RunLockFree"})
	l.waiting, l.end = context.WithCancel(context.Background())
	if l.opens, err = newOpens(); err != nil {
		cfg.Log.Warn("a holder of the run lock is seen late", "reason", "RunLockSeenLate", "error", err)
	}
	l.look()
	return l, nil
}

// Name returns "run-lock".
func (l *RunLock) Name() string { return "run-lock" }

// State looks at the lock. It is Running while somebody holds it.
func (l *RunLock) State(ending bool) sight.State {
	l.look()
	return l.Presence.State(ending)
}

// Watch calls changed when the last holder has let go, or a first one is seen.
func (l *RunLock) Watch(ctx context.Context, changed func()) {
	l.look()
	l.Presence.Watch(ctx, changed)
}

// Observe is [sight.Presence.Observe], and asks Run for a look.
func (l *RunLock) Observe(newest leadership.Leadership) {
	due := l.renewed
	if l.Presence.Observe(newest) {
		due = l.turned
	}
	if !l.stirred.Load() {
		return // nobody has opened it, so nobody can hold it
	}
	ask(due)
}

// ask puts a request into the channel, unless it has one.
func ask(due chan<- struct{}) {
	select {
	case due <- struct{}{}:
	default:
	}
}

// Run looks at the lock after the file was opened, and after each leadership, until ctx ends.
func (l *RunLock) Run(ctx context.Context) {
	var following sync.WaitGroup
	if l.opens != nil {
		following.Go(func() { l.follow(ctx) })
	}
	timer := l.cfg.Clock.NewTimer()
	defer timer.Stop()
	next, step := l.cfg.Clock.Now().Add(lookAfter[0]), 0 // the next look; zero: when something happens
	for {
		timer.Reset(next)
		select {
		case <-l.turned:
			next, step = l.cfg.Clock.Now().Add(lookAfter[0]), 0
		case <-l.renewed:
			l.look()
		case <-timer.C():
			now := l.cfg.Clock.Now()
			if next.IsZero() || now.Before(next) {
				continue
			}
			l.look()
			next = 0
			if step++; step < len(lookAfter) && !l.There() { // a holder's end is an event
				next = now.Add(lookAfter[step] - lookAfter[step-1])
			}
		case <-ctx.Done():
			if l.opens != nil {
				_ = l.opens.Close()
			}
			following.Wait()
			return
		}
	}
}

// follow asks for looks when the file was opened, until ctx ends.
func (l *RunLock) follow(ctx context.Context) {
	for l.opens.next() == nil {
		l.stirred.Store(true)
		if !l.There() {
			ask(l.turned)
		}
		if bootclock.Sleep(ctx, l.cfg.Clock, eventPause) != nil {
			return
		}
	}
}

// Close closes the file, which stays, and waits for the goroutines. Call it after Run has returned.
func (l *RunLock) Close() error {
	l.mu.Lock()
	l.end() // from here on no look waits for a holder
	l.mu.Unlock()
	l.joined.Wait()
	err := l.dir.Close()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	if l.opens != nil {
		_ = l.opens.Close() // Run may have done it
	}
	return err
}
