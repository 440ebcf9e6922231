// Package handover tests what follows a loss of leadership, with real sidecar processes and a workload that takes its
// time to stop: the next leader's work never begins before the last one's has ended, in whatever way the workload is
// told and says that it has stopped; and an unfit leader hands over in time.
//
//	sidecar ── files, HTTP ──▶ toy workload ── start, stop ──▶ witness (one file, the boot clock)
//	        ◀── /drained, its health endpoint, its exit ──
package handover
