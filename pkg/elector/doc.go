// Package elector holds one election for one candidate over a [lease.Store].
//
// It promises, under the clock bounds of its [Config], that no two candidates hold unexpired terms at one
// instant, that tokens rise from term to term, and that a Lease which nobody released is taken only after nobody
// has written it for its whole duration. It does not promise that a workload which looks late, or a write already
// on its way, is stopped: for that there is the token.
//
// The rules live in a deterministic state machine, which has no goroutine, lock, clock or log. A loop gives it one event at a
// time, with the time, and carries out the output:
//
//	store ── replies, watch events ───────▶ machine.step ──▶ output ──▶ hold file, Publish, log, StopWait, watch, request
//	clock ── what is due (ladder.go) ─────▶      │
//	StepDown, SetHealthy, Abandon, ctx ───▶      │
//	StopWait ── the workload has stopped ─▶      │
//
// An answer bears the number of its question: one that comes too late is void, and one that cannot be is an error.
//
// The invariants, by the names that code and tests use:
//
//	I1  never leading at now ≥ validUntil
//	I2  validUntil ≤ send time of an applied write of ours + RenewDeadline
//	I3  a take is sent only at now ≥ first sight of its version + max(Duration, the record's validity), unless
//	    that record is released or resumable
//	I4  every write is conditional on (UID, version), or a create with no holder
//	I5  only a record just read as ours is blanked, only after the workload has stopped; nothing sent before the
//	    blank counts after it
//	I6  tokens rise strictly in the order of the store
//	I7  no callback and no network wait stands between the deadline and the stop
//	I8  a request applied late never extends validity
//	I9  notBefore never falls
//	I10 a draining candidate never leads
//	I11 no workload works at now ≥ validUntil (or the hold's) + the kill margin
//	I12 two live processes that write one identity both stop, and go on under fresh ones
//	I13 no release is sent while a known process of the workload lives
//	I14 nothing inherited is published before a read
//	I15 no release is sent while the hold on disk could make a restarted process lead
//
// Two simulations run whole elections over it: test/simulate judges the invariants under random faults, test/histories checks
// histories of a fenced register.
package elector
