// Command cluster builds the real Kubernetes that the integration tests run against, from Go modules alone:
// no container engine, no downloads of binaries. Its go.mod pins the versions, apart from the product's own.
//
// It promises that the directory it prints holds whole binaries of exactly those versions: they are built aside
// and moved into place, under a lock, so two builds at once do no harm. A directory in KUBEBUILDER_ASSETS is
// taken as it is. It does not promise a quick first build: kube-apiserver takes about five minutes on two cores.
//
//	go.mod (tool lines) → go build → <user cache>/lease-sidecar/cluster/<versions>-<platform>-<hash of go.mod>/
package main
