// Package work plays random faults against four replicas with real workloads on a real API server, and judges by what
// the workloads' own processes wrote down of their work: no two replicas may have worked at one instant. No document,
// Lease or log is asked.
//
//	schedule (seed) ──▶ replica i: line, storm, sidecar, guard, program, pod
//	program, workers ── journals on the boot clock ──▶ judge ◀── releases, as they arrived at the API server
//	                                                     └──▶ report: overlaps, with faults and log lines; time at work
//
// The replicas differ in how the sidecar runs or notifies the program (see mode), and each start of the program in how it
// stops: at once, after seconds, never, without its workers, without its health endpoint.
//
// It promises that a seed gives the same faults at the same times, and the same conduct to the n-th process of a
// replica. It does not promise the same outcome. Not judged, because no replica can promise it: work in the first second
// after a whole pod was frozen (its guard wakes with it; the fencing token refuses such work). Never done, for the same
// reason: freezing sidecar and guard at once while the program runs; and a program that nothing kills is one that stops
// in time.
package work
