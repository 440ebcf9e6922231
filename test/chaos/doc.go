// Package chaos plays random faults against elections on a real API server. It has two tests, which share their schedules,
// their player, spans and flags, and differ in their faults and judges.
//
// TestChaos plays one schedule against two elections at the same instants: three of our sidecars, and beside them three
// processes with client-go's own elector. A witness notes on one clock who publishes that it leads. The test fails where two
// of ours lead at once, where a token falls, and where none of ours leads in the end. What client-go's elector does is
// reported and never judged.
//
//	Schedule (seed) ──▶ candidate i of ours, candidate i of theirs: line, process, pod
//	               └──▶ the store of both: etcd, kube-apiserver, storm, tokens; our Lease
//	witness, programs, journals ── terms ──▶ Account ◀── events ── what was done, and when
//	                                            └──▶ Report: a Side each
//
// The line from a candidate: Proxy ──▶ Storm (one for all) ──▶ kube-apiserver ──▶ etcd.
//
// TestChaosOfWork plays a schedule for each seed against four replicas with real workloads, and judges by what the
// workloads' own processes wrote down of their work: no two replicas may have worked at one instant. No document, Lease or
// log is asked. The replicas differ in how the sidecar runs or notifies the program (see mode), and each start of the
// program in how it stops: at once, after seconds, never, without its workers, without its health endpoint.
//
//	Schedule (seed) ──▶ replica i: line, storm, sidecar, guard, program, pod
//	program, workers ── journals on the boot clock ──▶ judge ◀── releases, as they arrived at the API server
//	                                                     └──▶ summary: overlaps, with faults and log lines; time at work
//
// A seed gives the same faults at the same times, and the same conduct to the n-th process of a replica. It does not give the
// same outcome: processes and kernels take their own time. TestChaosOfWork does not judge what no replica can promise: work
// in the first second after a whole pod was frozen (its guard wakes with it; the fencing token refuses such work). For the
// same reason it never freezes sidecar and guard at once while the program runs, and gives a program that nothing kills a
// conduct that stops in time.
package chaos
