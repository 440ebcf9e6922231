// Package process tells a workload by process signals: one when its replica is elected, one when it has lost. It
// looks for the one process that a name or a pid file stands for, in the pid namespace that the sidecar shares with
// it, and looks again when that process has gone.
//
// It promises that a signal reaches only the process that was found (it is held by a pidfd, so that a reused pid is
// never hit), never one that would die of a signal meant as news, and never the sidecar, its parents or a pause
// process; that a process which came later is told the level that holds then; and, with a fence, that a process which
// does not end is killed before another replica can take the Lease. [Process.Stopped] is sight of its end.
//
// It does not promise that the process acts on a signal, nor when: a handler may do nothing, and the time until a new
// process is found is up to a second, or more where /proc is large.
//
//	level ── Apply ──▶ tell ──▶ pidfd ──▶ the process
//	/proc ── Run ────▶ find ──┘    └──▶ its exit ──▶ Stopped, Crashed
//	                    guard: the same word, kept by another process should this one freeze
package process
