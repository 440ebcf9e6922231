// Mutants breaks the product, one rule at a time, and sees that a named test notices.
//
// Each mutant is a small edit that takes one rule of the protocol away: a margin, a condition, an order. It is built by
// the go command's -overlay, so that no file of the repository changes, and must compile. Then every test that the
// mutant names must fail, by an assertion of its own: one that passes, that did not run, that panics or runs out of time
// has not seen the fault. The same tests must pass on the product as it is.
//
// It does not prove that a rule which is not in the table is tested, nor that two faults at once are seen.
//
//	table of mutants ──▶ overlay ──▶ go test -json -run <named> ──▶ verdict: red, or why not
//
//	go run ./test/mutants                   every mutant; exit status 1 where one survives
//	go run ./test/mutants -only 'watch'     those whose name matches
//	go run ./test/mutants -controls         the simulation finds the overlaps that the worst of them cause
package main
