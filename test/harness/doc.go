// Package harness runs the real thing for the integration tests: etcd and kube-apiserver with RBAC on, sidecars
// as processes of their own with no more rights than the documented Role, and a witness that watches on one
// clock what each of them publishes.
//
// It promises that what a test starts ends with the test, on failure and panic too (children die with the test
// process), and that logs are shown where a test fails. It does not promise a quiet machine: tests assert orders
// and generous bounds.
//
//	test ── Shared / Start ──▶ Cluster (etcd ◀ kube-apiserver ◀ Proxy, where a test cuts the line)
//	  │                           ▲ kubeconfig and token of a ServiceAccount (Access)
//	  ├── Election.Start ──▶ Sidecar ── signal directory, HTTP ──▶ Witness ──▶ overlaps, terms
//	  └── Audit, Metrics ◀── what the API server counted
package harness
