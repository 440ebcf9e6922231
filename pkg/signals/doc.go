// Package signals makes the leadership known to the workload. A [Signal] is one way of doing so; [FanOut] drives all of
// them from the newest [leadership.Leadership]. Each signal has a package below this one.
//
// It promises that a new leadership reaches every signal at once and in parallel, the local ones before the remote ones;
// that a signal which hangs, fails or panics holds up neither the others nor the election; that a failed signal is tried
// again with the newest leadership; and that a term which nobody renewed or ended is dropped at its validUntil. It does
// not promise that a signal shows every leadership: a slow signal skips to the newest.
//
//	election ── Publish ──────▶ newest leadership ──┬──▶ lane ──▶ file
//	                            (one slot)          ├──▶ lane ──▶ process
//	                                                └──▶ lane ──▶ pod label (remote: after the local ones)
//	handover ◀── WaitApplied ── what each Output's wait policy asks for
package signals
