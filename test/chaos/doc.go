// Package chaos plays one random schedule of faults against two elections on one real API server, at the same
// instants: three of our sidecars, and beside them three processes with client-go's own elector. A witness notes on
// one clock who publishes that it leads; a report sums up overlaps, moves, gaps and handovers of both.
//
// It promises that a seed gives the same faults at the same times again, and that the test fails where two of ours
// lead at once, where a token falls, and where none of ours leads in the end. It does not
// promise that one seed leads to one outcome: processes and kernels take their own time. What client-go's elector
// does is reported and never judged.
//
//	Schedule (seed) ──▶ candidate i of ours, candidate i of theirs: line, process, pod
//	               └──▶ the store of both: etcd, kube-apiserver, storm, tokens; our Lease
//	witness, programs, journals ── terms ──▶ Account ◀── events ── what was done, and when
//	                                            └──▶ Report: a Side each
//
// The line from a candidate: Proxy ──▶ Storm (one for all) ──▶ kube-apiserver ──▶ etcd.
package chaos
