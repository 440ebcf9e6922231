// Package integration holds the tests that run against a real etcd and kube-apiserver; package harness starts
// them. Each test shows one thing that the documentation promises to users.
package integration
