// Package lease holds the record that an election turns on, and the [Store] that keeps it.
//
// A Store promises compare-and-swap: an Update succeeds only on the very version it was made from, of the very
// object (UID). It does not promise that a failed or timed-out write was not applied: only a later read tells.
//
//	elector → lease.Store ← lease/kube (the Kubernetes API)
//	                      ← lease/dir  (a directory on one machine)
package lease
