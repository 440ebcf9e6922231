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
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

var (
	// lookAfter are the times after an opening of the file at which the lock is looked at: an opening comes before a lock.
	// The first leaves the program alone that opens the file and locks it right away.
	lookAfter = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}
	// eventPause bounds how often openings wake this process.
	eventPause = 10 * time.Millisecond
	// retryPause is the time until the next look where the kernel gave no answer.
	retryPause = 50 * time.Millisecond
)

// RunLock sees the workload by the run lock. Its methods may be called from several goroutines at once.
type RunLock struct {
	cfg      Config
	dir      dir
	opens    *opens // nil where the kernel has none left
	presence *sight.Presence
	stirred  atomic.Bool   // the file may have been opened by others
	turned   chan struct{} // a transition: asks Run for looks
	renewed  chan struct{} // a renewal: asks Run for one

	mu      sync.Mutex
	file    *os.File // nil where it could not be made
	awaited bool     // a goroutine waits for the holder's end
	closed  bool
	trouble string        // what the log has of it
	noted   map[bool]bool // what the log has had once: that the lock is held, that it is free
	end     context.CancelFunc
	waiting context.Context
	joined  sync.WaitGroup
}

var _ sight.Sight = (*RunLock)(nil)

// New makes the lock file and looks at it once. Only a directory that cannot be opened is an error.
func New(cfg Config) (*RunLock, error) {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open signal directory %s: %w", cfg.Dir, err)
	}
	l := &RunLock{cfg: cfg, dir: dir{root: root, path: cfg.Dir}, turned: make(chan struct{}, 1), renewed: make(chan struct{}, 1), noted: map[bool]bool{}}
	l.presence = sight.NewPresence(cfg.Clock, cfg.Ended)
	l.waiting, l.end = context.WithCancel(context.Background())
	if l.opens, err = newOpens(); err != nil {
		cfg.Log.Warn("who takes the run lock is seen late", "error", err)
	}
	l.look()
	return l, nil
}

// Name returns "run-lock".
func (l *RunLock) Name() string { return "run-lock" }

// Kills reports false: nobody is killed by a lock.
func (l *RunLock) Kills() bool { return false }

// State looks at the lock, and says Running while somebody holds it.
func (l *RunLock) State(ending bool) sight.State {
	l.look()
	return l.presence.State(ending)
}

// Watch calls changed when the last holder has let go, or a first one was seen.
func (l *RunLock) Watch(ctx context.Context, changed func()) {
	l.look()
	l.presence.Watch(ctx, changed)
}

// Level takes note of what the workload is told; call it before the workload is told. It does not block.
func (l *RunLock) Level(level leadership.Leadership) {
	due := l.renewed
	if l.presence.Level(level) {
		due = l.turned
	}
	if !l.stirred.Load() {
		return // nobody can hold what nobody has opened
	}
	select {
	case due <- struct{}{}:
	default: // it is due already
	}
}

// Run looks at the lock after the file was opened, and after each level, until ctx ends.
func (l *RunLock) Run(ctx context.Context) {
	var following sync.WaitGroup
	opened := make(chan struct{}, 1)
	if l.opens != nil {
		following.Go(func() { l.follow(opened) })
	}
	timer := time.NewTimer(lookAfter[0])
	defer timer.Stop()
	for step := 0; ; {
		select {
		case <-opened:
			step = 0
			timer.Reset(lookAfter[0])
		case <-l.turned:
			step = 0
			timer.Reset(lookAfter[0])
		case <-l.renewed:
			l.look()
		case <-timer.C:
			l.look()
			if l.presence.There() { // its end comes as an event
				break
			}
			if step++; step < len(lookAfter) {
				timer.Reset(lookAfter[step] - lookAfter[step-1])
			}
		case <-ctx.Done():
			if l.opens != nil {
				_ = l.opens.close()
			}
			following.Wait()
			return
		}
	}
}

// follow passes on that the file was opened.
func (l *RunLock) follow(opened chan<- struct{}) {
	for l.opens.next() == nil {
		l.stirred.Store(true)
		if !l.presence.There() {
			select {
			case opened <- struct{}{}:
			default:
			}
		}
		time.Sleep(eventPause)
	}
}

// Close lets go of the file, which stays, and joins what was started. Call it when Run has returned.
func (l *RunLock) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end()
	l.joined.Wait()
	err := l.dir.root.Close()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	if l.opens != nil {
		_ = l.opens.close() // Run may have done it
	}
	return err
}

// look looks at the lock, unless its holder's end is waited for. It does not wait.
func (l *RunLock) look() { l.lookAt()() }

func (l *RunLock) lookAt() (tell func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	nothing := func() {}
	if l.awaited || l.closed {
		return nothing
	}
	if err := l.provide(); err != nil {
		l.report(err)
		return nothing
	}
	byFlock, err := heldBy(flocked, l.file)
	byFcntl, err2 := heldBy(posixed, l.file)
	l.report(errors.Join(err, err2))
	if !byFlock && !byFcntl {
		return nothing
	}
	l.awaited = true
	file := l.file
	l.joined.Go(func() { l.await(file, byFlock) })
	l.note(true)
	return l.presence.Set(true)
}

// note logs who came and went: the first time for all to see.
func (l *RunLock) note(held bool) {
	level := slog.LevelDebug
	if !l.noted[held] {
		level, l.noted[held] = slog.LevelInfo, true
	}
	if held {
		l.cfg.Log.Log(context.Background(), level, "the workload holds the run lock")
	} else {
		l.cfg.Log.Log(context.Background(), level, "the run lock is free: its last holder has ended, or let go")
	}
}

// provide has a lock file that the name stands for.
func (l *RunLock) provide() error {
	if l.file != nil && l.dir.holds(l.file) {
		return nil
	}
	file, made, err := l.dir.make()
	if err != nil {
		return err
	}
	if l.file != nil {
		l.cfg.Log.Warn("the run lock's file was replaced or removed: who held the old one is not seen any more",
			"file", FileName, "signal_dir", l.cfg.Dir)
		_ = l.file.Close()
		l.presence.Forget()
	}
	l.file = file
	if l.opens != nil {
		err = l.opens.add(file)
	}
	if !made || l.opens == nil || err != nil {
		l.stirred.Store(true)
	}
	return err
}

// report logs a trouble when it changes.
func (l *RunLock) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != l.trouble {
		l.cfg.Log.Warn("the run lock cannot be seen", "error", err)
	}
	l.trouble = text
}

// await waits until nobody holds a lock of either kind, and takes note of that.
func (l *RunLock) await(file *os.File, byFlock bool) {
	for {
		if byFlock && !l.outlast(flocked, file) {
			return
		}
		byFcntl, err := heldBy(posixed, file)
		if err == nil && !byFcntl {
			break
		}
		if !l.outlast(posixed, file) {
			return
		}
		byFlock, err = heldBy(flocked, file)
		byFlock = byFlock || err != nil
	}
	l.mu.Lock()
	l.awaited = false
	l.note(false)
	tell := l.presence.Set(false)
	l.mu.Unlock()
	tell()
}

// outlast waits until nobody holds a lock of that kind; false where this is over.
func (l *RunLock) outlast(k kind, file *os.File) bool {
	for {
		err := wait(l.waiting, k, file)
		if l.waiting.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		if !errors.Is(err, errAgain) {
			l.mu.Lock()
			l.report(err)
			l.mu.Unlock()
			// What the kernel does not tell is looked at now and then.
			if held, err := heldBy(k, file); err == nil && !held {
				return true
			}
			select {
			case <-time.After(retryPause):
			case <-l.waiting.Done():
				return false
			}
		}
	}
}
