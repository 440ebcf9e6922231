// Package fleet is a fleet of candidates that campaign for one Lease through many faults, in virtual time.
//
// # The picture
//
//	seed ──▶ Plan ──▶ world (a synctest bubble: its time is true time) ──▶ Result ──▶ Tally
//	                    │  candidate: a machine with its clocks and its network
//	                    │    ├─ Pod: signal directory, identity, app or Worker
//	                    │    │    └─ process: one run of the sidecar after the other
//	                    │    └─ or peer: client-go's elector
//	                    │  memory.Backend: the Lease ◀── administrator
//	                    └─ rules: every request sent, every document published, every change stored
//
// Real are: [elector.New] and Run with its goroutines and timers, the hold file, the stop-waiter, the signals' fan-out, the rule of
// the kill deadline, and client-go's elector. Simulated are: the store and the network to it, the clocks, the workload, its
// guard and what sees it. Not covered are the API server, the kernel's scheduler and disks: see test/integration.
//
// # What is judged
//
// All judgements are made by true time, from intervals and not from samples. By the protocol's names:
//
//	two leaders, two at work, ours beside client-go's          result.go
//	I1, I2 (and with it I8), I6, I7, I10, I14, needless losses published.go
//	I3 (and with it I9), I4, I5, I12, I13, reads after failed  rules.go
//	writes, one race a version, silent watches, the budgets of
//	requests and of the loop's turns
//	I15                                                        hold.go
//	I16                                                        members.go
//	I11                                                        workload.go: the guard's, modelled
//	somebody leads once everything is healed                   world.go
//
// Nobody promises anything about the work of an app past its deadline that looks at no clock and that nothing can end: it
// is counted apart.
//
// # One seed is one history
//
// The same seed gives the same transcript, byte for byte, on any number of processors. To keep it so: the elector takes what waits
// at one instant in one order; timers of several owners for one instant fire a moment apart; a publication takes a nanosecond, so that
// the fan-out has it before the next; and random draws depend on who draws, for what and when ([chance]), not on a stream.
//
// To reproduce a seed: go test ./test/simulate -run TestSimulation -v -seed=N.
//
// # To add a fault
//
// Add a row to kinds in kinds.go: a name, a weight, and a function that acts on a candidate. If it lasts, candidate.heal must end
// it. A new row changes the draws of every seed.
//
// # To add a rule
//
// Call world.must, with the rule's name, at the boundary where it can be seen: rules.go for requests, published.go for what is
// published. Then add a control to test/mutants that breaks the rule, and see that the simulation finds it.
package fleet
