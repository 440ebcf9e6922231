package bootclock

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernelTimer is a timerfd on CLOCK_BOOTTIME, in the runtime's poller: it counts the time that the machine is suspended,
// and costs nothing while it waits.
type kernelTimer struct {
	file  *os.File
	fired chan struct{}
	ended chan struct{}
}

// NewTimer returns a timer of the kernel. Where the process has no descriptor left, the timer polls the clock.
func (System) NewTimer() Timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return NewPolledTimer(System{}.Now, 0)
	}
	t := &kernelTimer{file: os.NewFile(uintptr(fd), "timerfd"), fired: make(chan struct{}, 1), ended: make(chan struct{})}
	go t.wait()
	return t
}

func (t *kernelTimer) wait() {
	defer close(t.ended)
	var expirations [8]byte
	for {
		if _, err := t.file.Read(expirations[:]); err != nil {
			return // closed by Stop
		}
		t.fire()
	}
}

func (t *kernelTimer) C() <-chan struct{} { return t.fired }

// Reset sets the kernel's timer. What fired before is forgotten, except for a firing that is on its way just now.
func (t *kernelTimer) Reset(at Instant) {
	var spec unix.ItimerSpec
	if !at.IsZero() {
		spec.Value = unix.NsecToTimespec(int64(max(at, 1)))
	}
	conn, err := t.file.SyscallConn()
	if err == nil {
		failed := conn.Control(func(fd uintptr) { err = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &spec, nil) })
		err = errors.Join(err, failed)
	}
	select {
	case <-t.fired:
	default:
	}
	switch now := (System{}).Now(); {
	case at.IsZero():
	case err != nil: // the owner must not wait for a timer that cannot be set, nor spin on it
		time.AfterFunc(time.Millisecond, t.fire)
	case !now.Before(at):
		t.fire()
	}
}

func (t *kernelTimer) fire() {
	select {
	case t.fired <- struct{}{}:
	default: // the firing before was not taken yet: it says the same
	}
}

func (t *kernelTimer) Stop() {
	_ = t.file.Close() // nothing was written to it
	<-t.ended
}
