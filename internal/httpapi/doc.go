// Package httpapi is the sidecar's HTTP API: it answers the workload, the kubelet and Prometheus, and takes the workload's
// orders and its report that it has stopped. Handlers build everywhere; [Listener] is for Linux.
//
// It promises that an answer is judged by the clock at the request, so that an election that is stuck never answers "leader"
// after validUntil; that orders are taken only from the same machine, over a [Listener] bound to loopback or to a unix
// socket; and that every request, body and stream is bounded in size and time. It does not promise that an answer is still
// true when it arrives, nor that an event stream shows more than the transitions: ask /leader again before acting on an
// event for long.
//
//	workload   ──▶ NewWorkloadHandler ── /leader, /, /events ──────▶ Election, Feed
//	                                  ── /step-down, /drained, … ──▶ Election, Drained
//	kubelet    ──▶ NewProbeHandler    ── /livez, /readyz, … ───────▶ Election
//	Prometheus ──▶                    ── /metrics ─────────────────▶ Metrics
//
// The files: workload.go (its API), feed.go (events), compat.go (answers of other sidecars), control.go (who may give
// orders), probes.go, reply.go (the form of answers), listener_linux.go and bind_linux.go (addresses).
package httpapi
