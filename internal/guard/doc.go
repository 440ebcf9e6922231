// Package guard enforces a workload's deadlines from a second small process, so that the workload does not work on after a
// sidecar that was killed, hangs or is frozen.
//
// It promises that the program that it runs gets SIGTERM (its process group) when the deadline on the boot clock passes
// and nobody has moved it; that the program and all its descendants get SIGKILL at the kill deadline, and at once when the
// sidecar is gone; and that a process of somebody else, for which it is armed, gets its signals at its deadlines in the same
// way. The guard is the subreaper of the descendants, so a daemon that called setsid does not escape. When the guard itself
// dies, the kernel kills the program (PR_SET_PDEATHSIG), and [Sweep] kills the rest.
//
// It promises nothing while guard and sidecar are both frozen, until the guard wakes: then it looks at the clock first. A
// program that gave itself another user than the guard's cannot be killed.
//
//	sidecar ── orders, a JSON line each ──▶ supervisor ──▶ program, descendants
//	   ▲                                        │  └─────▶ (or a process that is not its own, through a pidfd)
//	   └──────── reports, its whole state ──────┘
//
// The end of the order pipe is the sidecar's death. The package is for Linux.
package guard
