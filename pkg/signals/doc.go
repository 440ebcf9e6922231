// Package signals tells the workload whether its replica leads. A [Signal] is one way of telling; [FanOut] drives
// all of them from the newest [leadership.Leadership]; [File] is the signal in a shared volume.
//
// It promises that a new level reaches every signal at once and in parallel, that a signal which hangs, fails or
// panics holds up neither the others nor the election, that a failed signal is tried again with the newest level,
// and that a term which nobody renewed or ended is dropped at its validUntil. It does not promise that a signal
// shows every level: whoever is slow skips to the newest.
//
//	election ── Publish ──▶ newest level ──┬──▶ lane ──▶ file
//	                        (one slot)     ├──▶ lane ──▶ events
//	                                       └──▶ lane ──▶ …
//	election ◀── Settle ─── all lanes have applied it
package signals
