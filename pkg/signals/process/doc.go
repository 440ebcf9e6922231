// Package process signals a workload by process signals: it sends one when its replica is elected, and one when it has lost. It
// looks for the one process that a name or a pid file stands for, in the pid namespace that the sidecar shares with it, and looks
// again when that process has ended.
//
// It promises that a signal reaches only the process that was found (a pidfd holds it, so a reused pid is never hit), never one that
// would die of a signal meant as news, and never the sidecar, its parents or a pause process; that a process which comes later gets
// the signal for the leadership that holds then; and, with a fence, that a process which does not end is killed before another
// replica can take the Lease. [Process.State] is sight of its end.
//
// It does not promise that the process acts on a signal, nor when: a handler may do nothing, and the time until a new process is
// found is up to a second, or more where /proc is large.
//
//	leadership ── Apply ──▶ ┌─────────┐ ── signal, kill ──▶ pidfd ──▶ the process ──▶ its end: State, Crashed
//	/proc ──── view, look ▶ │ machine │
//	the clock ── Run ─────▶ └─────────┘ ── order ──▶ the guard, which acts should this process freeze or die
//
// The machine decides; it is deterministic, and the transcripts in testdata test it. [Process] is the shell around it: it looks,
// carries out and waits.
package process
