// Package kube keeps the Lease in the Kubernetes API (coordination.k8s.io/v1).
//
// It promises one attempt a call, which ends when its context does; reads from the API server's quorum; writes
// conditional on UID and resourceVersion; and a watch on a connection of its own. Rotated tokens and certificate
// authorities are picked up without a restart. It does not promise that a failed write was not applied, nor that
// a watch which is silent is alive: the election judges that by the renewals it should have seen.
//
// It speaks HTTP/1.1, on purpose: there a request that times out closes its own connection, so that the next
// attempt dials anew, and the watch never shares one with the writes. HTTP/2 would put all of them on one
// connection, and a half-dead one would fail every attempt until a ping noticed.
//
//	Store ── get, create, update ── connection 1 ─┐
//	      └─ watch ──────────────── connection 2 ─┴→ API server
package kube
