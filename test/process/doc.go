// Package process tests process signals with real sidecars and a real program, through what ends a term: a handover,
// a sidecar that is killed or frozen, a workload that crashes or does not listen.
package process
