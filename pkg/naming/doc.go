// Package naming turns what a pod knows of itself into names that all replicas agree on: the workload, the Lease, and each
// candidate's own identity. It imports nothing of Kubernetes.
//
// It promises that the replicas of one workload, across rollouts, derive one Lease name or get an error: what labels and the
// pod's name do not prove has to be given. It does not promise that a workload given by hand is the right one, nor that
// forged labels tell the truth.
//
//	pod name + labels ──Derive──▶ Workload ──NewLeaseName(prefix)──▶ LeaseName
//	pod name + pod UID ──────────NewIdentity────────────────────────▶ Identity
package naming
