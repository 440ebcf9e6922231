// Package naming turns what a pod knows of itself into names that all replicas agree on: the workload, the Lease,
// and each candidate's own identity.
//
// It promises that the replicas of one workload, across rollouts, derive one Lease name or an error: what labels
// and the pod's name do not prove is refused, and has to be given. It does not promise that a workload
// given by hand is the right one, nor that labels which somebody forged tell the truth.
//
//	pod name + labels ──Derive──▶ Workload ──NewLeaseName(prefix)──▶ LeaseName
//	pod name + pod UID ──────────NewIdentity────────────────────────▶ Identity
//
// It imports nothing of Kubernetes.
package naming
