// Package httpapi is the sidecar's HTTP API. It answers the workload, the kubelet and Prometheus, and takes the workload's
// orders and its report that it has stopped. Handlers build on every system; [Listener] is for Linux.
//
// It promises that each answer is judged by the clock at the request, so that a stuck election never answers "leader" after
// validUntil; that orders are taken only from this machine, over a [Listener] on loopback or a unix socket; and that every
// request, body and stream is bounded in size and time. It does not promise that an answer is still true when it arrives,
// nor that an event stream shows more than transitions: ask /leader again before acting on an event for long.
//
//	workload   ──▶ NewWorkloadHandler ── /leader, /, /events ──────▶ Election, Feed
//	                                  ── /step-down, /drained, … ──▶ Election, Drained
//	kubelet    ──▶ NewProbeHandler    ── /livez, /readyz, … ───────▶ Election
//	Prometheus ──▶                    ── /metrics ─────────────────▶ Metrics
package httpapi
