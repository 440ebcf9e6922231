// Package simulate runs whole fleets of candidates through bad days, in virtual time, and asserts that no two of them
// lead at once.
//
// It promises that everything under test is the real thing: elector.New(…).Run with its goroutines, timers and hold
// file, and client-go's own elector beside it; that one seed is one history, byte for byte; and that all judgements are
// made by true time, computed from intervals and not sampled. It does not promise anything about the API server, the
// kernel's scheduler or a disk: those are test/integration's matter. The app and its guard are a model.
//
//	seed ──▶ schedule ──▶ world (a synctest bubble) ──▶ result ──▶ tally
//	                        │  candidate ── clock, network, pods ── sidecar processes, client-go peers
//	                        │  memory.Backend ◀── administrator
//	                        └─ rules: every request sent, every word published, every change stored
//
// A schedule that fails is cut down to the faults that matter and printed with its transcript. What is judged, and
// where, by the protocol's names:
//
//	two told to lead, two at work, ours beside client-go's    span_test.go, result_test.go
//	I1, I2 (and with it I8), I6, I7, I10, needless losses      word_test.go
//	I3 (and with it I9), I4, I5, I12, reads after failed       rules_test.go
//	writes, one race a version, silent watches, the budget
//	I11                                                       app_test.go: the guard's, modelled
//	that somebody leads once everything is mended             world_test.go
//
// Run it at length, or one seed with its transcript:
//
//	go test ./test/simulate -run TestSimulation -v -seeds=10000
//	go test ./test/simulate -run TestSimulation -v -seed=42
package simulate
