// Package e2e tests pods: the image that the Dockerfile makes, the manifests and charts of examples, requests to the leader's
// Service, and faults of nodes, pods and containers, on real nodes (package lab). It runs by `make e2e`, as root.
//
// What counts is what the workload did: its own journal on the boot clock, which it keeps in a volume that outlives the pod, and its
// log. The documents in the signal directory are judged beside it.
package e2e
