// Package demo plays an election on this machine with no cluster: three real sidecars, each beside a toy workload, on
// one directory store. It moves leadership in several ways, kind and unkind, and a witness with one clock watches
// what every workload is told.
//
// It promises a verdict that rests on what was seen: the time during which two replicas were told "leader", or were
// at work, at once. A look each few milliseconds can miss an overlap shorter than that; what it counts did happen.
//
//	scenes ──signals, step-down──▶ replica (sidecar + toy) ──files, HTTP, work──▶ witness ──▶ screen, verdict
package demo
