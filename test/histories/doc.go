// Package histories has an independent judge decide whether the election kept its promise. Workers that read their leadership
// as any app does acquire it, write to a register, read it, and give it up. Every operation is written down
// with the span in which it took place, and porcupine decides whether some order of single instants explains them all.
//
// A history that no such order explains is found, within the precision of the spans: two holders at
// once, a token that falls, a stale write that was accepted, a write that was lost. Two specifications are judged
// apart. [Lock] is the election's own promise: one holder at a time, under rising tokens. [Fencing] is what an app
// gets whose resource compares tokens. Not every fault of a run leaves a trace: what nobody
// observed may have been otherwise.
//
//	elector ──▶ leadership document ──▶ View ──▶ App ── write, read ──▶ Register (guarded by the token, or not)
//	                                     │        │
//	                                     ▼        ▼
//	                                    History: acquire, release, expire, write, read
//	                                     │
//	                                     ▼
//	                                    Lock, Fencing ──▶ porcupine ──▶ accepted, or a drawing of what is wrong
//
// The electors are those of the simulated fleet (test/simulate/fleet) in this package's tests, and of sidecars as
// processes on a real API server in package apiserver.
package histories
