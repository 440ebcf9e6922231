// Package guard holds a workload's deadline in a second small process, so that the sidecar's word does not outlive a
// sidecar that was killed, hangs or is frozen.
//
// It promises that the program that it runs is told to stop (SIGTERM to its process group) when the deadline on the
// boot clock passes and nobody has moved it, that the program and all its descendants are killed (SIGKILL) at the kill
// deadline, and at once when the sidecar is gone; and that a process of somebody else, for which it is armed, gets its
// signal at the deadline in the same way. The guard is the descendants' subreaper: a daemon that called setsid does not
// get away. It dies with nothing left behind: the program bears the guard's death as its own signal to die.
//
// It does not promise anything while guard and sidecar are both frozen, until the guard wakes: then it looks at the clock
// first. A program that gave itself another user than the guard's cannot be killed.
//
//	sidecar ── orders, a JSON line each ──▶ guard ──▶ program, descendants
//	   ▲                                      │  └───▶ (or a process that is not its own, through a pidfd)
//	   └──────── reports, a level each ───────┘
//
// A broken order pipe is the sidecar's death.
package guard
