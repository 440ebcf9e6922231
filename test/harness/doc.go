// Package harness builds and starts the real thing for tests: etcd and kube-apiserver with RBAC on, sidecars as processes of their
// own with no more rights than the documented Role, sidecars without a cluster, workloads, and a witness that samples on one clock
// what each sidecar publishes.
//
// It promises that what a test starts ends with the test, on failure and panic too (children die with the test process), and
// that logs are shown where a test fails. It does not promise a quiet machine: tests assert orders and generous bounds.
//
//	test ── Shared / Start ──▶ Cluster (etcd ◀ kube-apiserver ◀ Storm ◀ Proxy, where a test faults the way)
//	  │                           ▲ kubeconfig and token of a ServiceAccount (Access)
//	  ├── Election.Start ──▶ Sidecar ── signal directory, HTTP ──▶ Witness ──▶ overlaps, terms
//	  ├── NewLocal ──▶ Local: a sidecar whose Lease is in a directory
//	  └── Audit ◀── what the API server was asked
//
// Every process comes from [Launch], every binary from one build for each working tree, which the user's cache keeps. The
// environment variable SIDECAR_BINARY names a sidecar to test in place of that of the tree, SIDECAR_BEFORE one more to measure
// beside it.
package harness
