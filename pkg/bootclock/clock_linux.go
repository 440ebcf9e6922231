package bootclock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the machine's boot clock (Linux has it since 2.6.39). It panics where that fails: no deadline could be kept.
func (System) Now() Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err))
	}
	return Instant(ts.Nano())
}

// ID names the clock of this boot: the kernel's random boot ID (a UUID), and, in a time namespace that moves the boot clock,
// "+" and the offset, such as "…+10m0s" or "…+-3.000000005s". Instants of different names are not comparable.
func ID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot ID: %w", err)
	}
	id := strings.TrimSpace(string(b))
	offsets, err := os.ReadFile("/proc/self/timens_offsets")
	if errors.Is(err, os.ErrNotExist) {
		return id, nil // a kernel without time namespaces
	}
	if err != nil {
		return "", fmt.Errorf("read the time namespace's offsets: %w", err)
	}
	offset, err := bootOffset(string(offsets))
	if err != nil || offset == 0 {
		return id, err
	}
	return id + "+" + offset.String(), nil
}

// bootOffset finds by how much a time namespace moves the boot clock, in the line "boottime SECONDS NANOSECONDS".
func bootOffset(offsets string) (time.Duration, error) {
	for line := range strings.Lines(offsets) {
		var seconds, nanoseconds int64
		if n, _ := fmt.Sscanf(line, "boottime %d %d", &seconds, &nanoseconds); n == 2 {
			return time.Duration(seconds)*time.Second + time.Duration(nanoseconds), nil
		}
	}
	return 0, fmt.Errorf("read the time namespace's offsets: no line for the boot clock in %q", offsets)
}

// kernelTimer is a timerfd on CLOCK_BOOTTIME: it also counts the time in suspend, and costs nothing while it waits.
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
