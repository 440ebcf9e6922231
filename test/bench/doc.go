// Package bench measures the sidecar beside client-go's elector on one real API server: planned handovers and their parts, takeovers,
// signals, the time without a leader by fault, what processes cost, and many candidates and elections. All subjects of a figure are
// measured in one run, in turn or at the same time, so that the machine's other work falls on all of them alike.
//
// It promises figures, and judges none: a test that must hold on every machine is in package integration. `make bench` runs it and makes
// docs/explanation/performance.md by the program in report; result is the format of the figures. Bounds of ratios are in report/bounds.
package bench
