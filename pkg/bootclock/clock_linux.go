package bootclock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the machine's boot clock. Linux has had CLOCK_BOOTTIME since 2.6.39, so a failure is a broken
// machine, on which no deadline could be kept: it panics.
func (System) Now() Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err))
	}
	return Instant(ts.Nano())
}

// ID returns the name of this boot's clock: the kernel's random name for the boot (a UUID), and, in a time namespace whose
// boot clock is moved, "+" and by how much, such as "…+10m0s" or "…+-3.000000005s". Instants of different names are not
// comparable: two processes of one boot read different clocks when their time namespaces differ.
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

// bootOffset finds by how much a time namespace moves the boot clock: the line "boottime SECONDS NANOSECONDS".
func bootOffset(offsets string) (time.Duration, error) {
	for line := range strings.Lines(offsets) {
		var seconds, nanoseconds int64
		if n, _ := fmt.Sscanf(line, "boottime %d %d", &seconds, &nanoseconds); n == 2 {
			return time.Duration(seconds)*time.Second + time.Duration(nanoseconds), nil
		}
	}
	return 0, fmt.Errorf("read the time namespace's offsets: no line for the boot clock in %q", offsets)
}
