package runlock

import (
	"errors"
	"os"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// retryPause is the pause between looks if the kernel gave no answer.
const retryPause = 50 * time.Millisecond

// look looks at the lock without waiting, unless a goroutine waits for the holder's end.
func (l *RunLock) look() { l.lookOnce()() }

func (l *RunLock) lookOnce() (notify func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	nothing := func() {}
	if l.awaited || l.waiting.Err() != nil {
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
	return l.Set(true)
}

// provide makes sure that the name refers to our lock file.
func (l *RunLock) provide() error {
	if l.file != nil && l.dir.holds(l.file) {
		return nil
	}
	file, made, err := l.dir.make()
	if err != nil {
		return err
	}
	if l.file != nil {
		l.cfg.Log.Warn("the run lock's file was replaced or removed: a holder of the old one is not seen any more",
			"reason", "RunLockReplaced", "file", fileName, "signal_dir", l.cfg.Dir)
		_ = l.file.Close()
		l.Forget()
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

func (l *RunLock) report(err error) {
	if l.trouble.Changed(err) && err != nil {
		l.cfg.Log.Warn("the run lock cannot be seen", "reason", "RunLockUnseen", "error", err)
	}
}

// await waits until nobody holds a lock of either kind, and records that.
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
	notify := l.Set(false)
	l.mu.Unlock()
	notify()
}

// outlast waits until nobody holds a lock of that kind. It reports false if the sight was closed.
func (l *RunLock) outlast(k kind, file *os.File) bool {
	for {
		err := wait(l.waiting, k, file)
		if l.waiting.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		if errors.Is(err, errAgain) {
			continue
		}
		l.mu.Lock()
		l.report(err)
		l.mu.Unlock()
		// The kernel does not wait for it, so look repeatedly.
		if held, err := heldBy(k, file); err == nil && !held {
			return true
		}
		if bootclock.Sleep(l.waiting, l.cfg.Clock, retryPause) != nil {
			return false
		}
	}
}
