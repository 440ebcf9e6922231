// Package bootclock reads the one clock that the election trusts: CLOCK_BOOTTIME, the time since this machine
// booted, which also counts while the machine is suspended and which no administrator can set.
//
// Two processes of one boot read the same clock, so a deadline written down by one can be kept by another;
// [ID] distinguishes boots. Go's own monotonic clock stops in suspend and is private to a process, so it serves
// neither purpose. What this clock does not show is a virtual machine paused with all its clocks.
package bootclock
