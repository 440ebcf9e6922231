package bootclock

import (
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

// NewTimer returns a timer of the kernel's. Where it has none left to give, the timer looks at the clock again and again.
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
		select {
		case t.fired <- struct{}{}:
		default: // the one before was not taken yet: it says the same
		}
	}
}

func (t *kernelTimer) C() <-chan struct{} { return t.fired }

// Reset sets the kernel's timer. What fired before is forgotten, but for a firing that is on its way just now.
func (t *kernelTimer) Reset(at Instant) {
	var spec unix.ItimerSpec
	if !at.IsZero() {
		spec.Value = unix.NsecToTimespec(int64(max(at, 1)))
	}
	conn, err := t.file.SyscallConn()
	if err == nil {
		_ = conn.Control(func(fd uintptr) { err = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &spec, nil) })
	}
	select {
	case <-t.fired:
	default:
	}
	if now := (System{}).Now(); !at.IsZero() && (err != nil || !now.Before(at)) {
		select {
		case t.fired <- struct{}{}: // a timer that cannot be set must not be slept on
		default:
		}
		if err != nil {
			time.Sleep(time.Millisecond) // nor be spun on
		}
	}
}

func (t *kernelTimer) Stop() {
	_ = t.file.Close() // nothing was written to it
	<-t.ended
}
