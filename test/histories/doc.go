// Package histories asks an independent judge whether the election kept its word. Workers that are told of their
// leadership as any app is acquire it, write to a register, read it, and give it up; every operation is written down
// with the span in which it took place, and porcupine decides whether some order of single instants explains them all.
//
// It promises that a history which no such order explains is found, within the precision of the spans: two holders at
// once, a token that falls, a stale write that was accepted, a write that was lost. Two specifications are judged
// apart. [Lock] is the election's own promise: one holder at a time, under rising tokens. [Fencing] is what an app
// gets that has its resource compare tokens. It does not promise that every fault of a run leaves a trace: what nobody
// observed may have been otherwise. Nor does a seed give a run again to the letter: it draws the faults and the times,
// and the runtime the order of goroutines that wake at one instant.
//
//	elector ──▶ leadership document ──▶ Told ──▶ App ── write, read ──▶ Register (guarded by the token, or not)
//	                                     │        │
//	                                     ▼        ▼
//	                                    History: acquire, release, expire, write, read
//	                                     │
//	                                     ▼
//	                                    Lock, Fencing ──▶ porcupine ──▶ accepted, or a drawing of what is wrong
package histories
