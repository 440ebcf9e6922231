// Package simulate runs whole fleets of candidates through bad days, in virtual time, and asserts that no two of them
// lead at once.
//
// It promises that everything under test is the real thing: elector.New(…).Run with its goroutines, timers and hold
// file, the stop-waiter, the signals' fan-out, the rule of the kill deadline, and client-go's own elector beside them; that
// one seed is one history, byte for byte; and that all judgements are made by true time, computed from intervals and not
// sampled. It does not promise anything about the API server, the kernel's scheduler or a disk: those are test/integration's
// matter. The workload, its guard and what sees it are models.
//
//	seed ──▶ schedule ──▶ world (a synctest bubble) ──▶ result ──▶ tally
//	                        │  candidate ── clock, network, pods ── sidecar processes, client-go peers
//	                        │                               └────── workload ◀── sights, signals
//	                        │  memory.Backend ◀── administrator
//	                        └─ rules: every request sent, every word published, every change stored
//
// A schedule that fails is cut down to the faults that matter and printed with its transcript. What is judged, and
// where, by the protocol's names:
//
//	two told to lead, two at work, ours beside client-go's    span_test.go, result_test.go
//	I1, I2 (and with it I8), I6, I7, I10, I14, needless losses word_test.go
//	I3 (and with it I9), I4, I5, I12, I13, reads after failed  rules_test.go
//	writes, one race a version, silent watches, the budget
//	I15                                                       hold_test.go
//	I11                                                       workload_test.go: the guard's, modelled
//	that somebody leads once everything is healed             world_test.go
//
// What nobody promises is counted apart: the work of an app that looks at no clock and that nothing can end, past its
// deadline.
//
// All seeds of two runs are compared (-twice, or the hashes of two machines: -hash). What could wait at one instant has an
// order: the elector takes what waits in one (pkg/elector), timers of several owners for one instant come a moment apart, a
// publication takes a nanosecond, so that the lanes have it before the next, and whatever draws chance draws by who, what and
// when.
//
// Run it at length, or one seed with its transcript:
//
//	go test ./test/simulate -run TestSimulation -v -seeds=10000 -twice
//	go test ./test/simulate -run TestSimulation -v -seed=42
package simulate
