// Package bootclock reads the one clock that the election trusts: CLOCK_BOOTTIME, the time since this machine
// booted, which also counts while the machine is suspended and which no administrator can set.
//
// It promises that the clock of [System] never goes back, and that two processes of one boot, in one time namespace, read the same
// clock: a deadline written down by one can be kept by another. [ID] distinguishes boots and time namespaces. Go's own monotonic
// clock stops in suspend and is private to a process, so it serves neither purpose.
//
// It does not promise to show that a virtual machine was paused with all its clocks, nor that a process wakes up in time. All of this
// holds on Linux; elsewhere the clock is private to the process, and [ID] fails.
package bootclock
