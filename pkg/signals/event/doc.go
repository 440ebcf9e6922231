// Package event is the signal by Events on the Lease, in the form of client-go's leader election: reason
// LeaderElection, "X became leader" and "X stopped leading", so that what watches for those goes on working, and
// kubectl describe lease shows them.
//
// It promises to be best effort, and no more: an Event that the API server refuses, or does not take within a minute,
// is given up and logged; transitions that follow each other faster than Events can be sent become one. A leader that
// dies records nothing.
//
//	level ── a new token ──▶ GET the Lease (its UID) ──▶ POST "became leader"
//	     └── no more ───────────────────────────────▶ POST "stopped leading"
package event
