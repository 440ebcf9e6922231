// Package integration holds the tests that run against a real etcd and kube-apiserver; package harness starts them. Each test
// shows one thing that the documentation promises to users.
//
// The files are named by what they fault: net_ the way to the API server, node_ a process, its machine, its files or its
// clock, store_ the Lease and what keeps it, resource_ CPU, memory and descriptors, signal_ the ways to notify the workload, install_
// the charts, rights and flags, status_ the command status.
package integration
