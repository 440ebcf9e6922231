// Package simulate runs the simulated fleets of package fleet over many seeds, and asserts that nothing goes wrong in
// any of them. See package fleet for what is simulated, what is real and what is judged.
//
// A plan that fails is reduced to the faults that matter and printed with its transcript. Run it at length, or one seed with its
// transcript:
//
//	go test ./test/simulate -run TestSimulation -v -seeds=10000 -twice
//	go test ./test/simulate -run TestSimulation -v -seed=42
package simulate
