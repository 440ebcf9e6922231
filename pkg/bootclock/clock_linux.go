package bootclock

import (
	"fmt"
	"os"
	"strings"

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

// ID returns the kernel's random name for this boot (a UUID). Instants of different boots are not comparable.
func ID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot ID: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
