// Command report makes the page of measurements from the results of the benchmarks, and checks them against bounds. It runs in the
// top folder of the repository.
//
//	report machine FILE      begins a file of results with what the run is made on (-short: a run with few samples)
//	report tests             prints a pattern of the tests that have figures
//	report write FILE…       keeps the results as docs/explanation/performance/results.jsonl, and writes the page and its plots from them
//	report write             writes the page and its plots again, from the results that are kept
//	report print FILE…       prints the tables
//	report check FILE…       compares the results with the bounds in test/bench/report/bounds
//
// Of several files, what a later one has of a figure replaces what earlier ones have of it. In catalog is what is measured, in page are
// the tables, and in plot the pictures.
package main
