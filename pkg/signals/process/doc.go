// Package process signals a workload by process signals: one when its replica is elected, one when it has lost. It finds the
// process by name or pid file in a pid namespace that the sidecar shares with it, and looks again after that process has ended.
//
// It promises:
//   - A signal reaches only the process that was found: a pidfd holds it, so a reused pid is never hit. A signal meant as news
//     is never sent to a process that would die of it. The sidecar, its parents and a pause process are never signalled.
//   - A process that starts later gets the signal for the current leadership.
//   - With a fence, a process that does not end is killed before another replica can take the Lease.
//
// It does not promise that the process acts on a signal: a handler may do nothing. A new process is found within a second,
// or later where /proc is large.
//
//	leadership ── Apply ──▶ ┌─────────┐ ── signal, kill ──▶ pidfd ──▶ the process ──▶ its end: State, Crashed
//	/proc ──── view, look ▶ │ machine │
//	the clock ── Run ─────▶ └─────────┘ ── order ──▶ the guard, which acts should this process freeze or die
//
// The machine decides; it is deterministic. [Process] is the shell around it: it looks, acts and waits.
package process
