// Package httpapi is the way in: what the workload, the kubelet and Prometheus ask of a candidate over HTTP, what they
// may order, and how a handover learns that the workload has stopped.
//
// It promises that an answer is judged by the clock at the request, so that no stuck loop answers "leader" past
// validUntil; that orders are taken only from the same machine, on a [Listener] bound to loopback or to a unix socket;
// and that every request, body and stream is bounded in size and time. It does not promise that an answer is still true
// when it arrives, nor that an event stream shows more than the transitions: ask /leader again before acting on an
// event for long.
//
//	workload ──▶ NewApp    ── /leader, /, /events ──────▶ Election, Feed
//	                       ── /step-down, /drained, … ──▶ Election, Drained
//	kubelet  ──▶ NewProbes ── /livez, /readyz, … ───────▶ Election
//	Prometheus ─▶          ── /metrics ─────────────────▶ Metrics
package httpapi
