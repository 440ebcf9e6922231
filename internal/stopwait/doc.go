// Package stopwait decides when the workload of a leader that hands over counts as stopped, so that its Lease may be
// released, and when waiting for that is given up.
//
// It promises that no release follows while a sight says that the workload runs, nor before the signals that a handover
// depends on say "not leading", unless the last validUntil that a reader could honour has passed. It does not promise that a
// workload which nobody sees has stopped: it relies on what the workload reports, on the operator's --drain-timeout, or on
// readers that honour validUntil.
//
//	elector ── Drain ──▶ Waiter ◀── running, stopped, unknown ── sights
//	        ◀─ Outcome ──┘   ▲
//	                         └── POST /drained
package stopwait
