// Package bootclock reads the one clock that the election trusts: CLOCK_BOOTTIME, the time since this machine booted. It also
// counts while the machine is suspended, and no administrator can set it. Go's own monotonic clock stops in suspend and is
// private to a process.
//
// It promises that the clock of [System] never goes back, and that two processes of one boot, in one time namespace, read the
// same clock: one can keep a deadline that the other has written down. [ID] distinguishes boots and time namespaces.
//
// It does not promise to show that a virtual machine was paused with all its clocks, nor that a process wakes up in time.
// All of this holds on Linux; elsewhere the clock is private to the process, and [ID] fails.
package bootclock
