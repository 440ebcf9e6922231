// Package workload tests what the workload does through handovers and faults, with sidecars as processes and the Lease in a
// directory: the next leader's work never begins before the last one's has ended, in whatever way the workload is notified and
// shows that it has stopped.
//
//	sidecar ── files, HTTP, process signals, child ──▶ program ── journal on the boot clock ──▶ spells ──▶ overlaps
//	        ◀── /drained, run lock, GET /running, health, its exit ──
//
// The program is in the folder program, what it writes down in journal. TestChaosOfWork in test/chaos plays random faults
// against it on a real API server.
package workload
