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
// Each answer carries the number of its question: a late answer is void, and an answer to no question is an error.
//
// [machine] lists the files of the state machine. Those around it:
//
//	elector.go           what the package offers: Elector, Deps, Outputs; config.go its timings
//	commands.go          what other goroutines ask of the loop: StepDown, SetHealthy, Abandon, Alive
//	loop.go, effects.go  the loop, and what it does for the machine: requests, the watch, the stop wait, the log
//	hold.go              the hold file's content; hold_linux.go opens, locks and writes it
//
// The invariants, by the names that code and tests use (D, V and K are the duration, the renew deadline and the kill margin):
//
//	I1  no candidate leads at or after its validUntil
//	I2  validUntil is at most the time of sending of an applied write of this candidate + V
//	I3  a take is sent only at the first sight of its version + max(D, the record's validity) or later, unless the
//	    record is released, may be resumed, or is of this process's own term that expired and nobody can have taken since
//	I4  every write is conditional on UID and version, or creates a Lease without a holder
//	I5  only a record that is its own last write, or was just read as its own, is released, only after the workload
//	    has stopped, and nothing sent before counts after it
//	I6  tokens rise strictly, in the order of the store
//	I7  no callback and no network wait stands between the deadline and the stop
//	I8  a request that is applied late never extends validity
//	I9  notBefore never falls
//	I10 a draining candidate never leads
//	I11 no workload works at or after validUntil (a drain's too, which renewals move) + K
//	I12 two live processes that write one identity both stop, and go on under fresh ones
//	I13 no release is sent while a known process of the workload lives
//	I14 nothing inherited is published before a read
//	I15 no release is sent while the hold on disk could make a restarted process lead
//	I16 a successor that is named takes only a record that its holder has released, or that is free in another way
//
// Two simulations run whole elections over it: test/simulate judges the invariants under random faults, test/histories checks
// histories of a fenced register.
package elector
