// Package guard enforces a workload's deadlines from a second small process, so that the workload stops even if the sidecar
// is killed, hangs or is frozen.
//
// It promises that the program it runs gets SIGTERM (its process group) at the deadline on the boot clock, unless an order
// moves the deadline; that the program and all its descendants get SIGKILL at the kill deadline, or at once when the sidecar
// is gone; and that another process, for which it is armed, gets its signals in the same way. The guard is the descendants'
// subreaper, so a daemon that calls setsid cannot escape. If the guard itself dies, the kernel kills the program
// (PR_SET_PDEATHSIG), and [Sweep] kills the rest.
//
// If guard and sidecar are both frozen, nothing happens until the guard wakes; it then checks the clock first. A program
// that changed to another user than the guard's cannot be killed.
//
//	sidecar ── orders, a JSON line each ──▶ supervisor ──▶ program, descendants
//	   ▲                                        │  └─────▶ (or a process that is not its own, through a pidfd)
//	   └──────── reports, its whole state ──────┘
//
// The end of the order pipe means that the sidecar is dead. The package is for Linux.
package guard
