// Package leadership holds what a candidate knows of an election at one instant, the JSON document that tells
// it to the workload, and a reader of the signal directory that fails closed.
//
// It promises that a [Leadership] judged at an instant ([Leadership.At]) says "leader" only before its
// validUntil, and that [Read] says so only from a whole document of this boot. It does not promise that a
// caller who acts later still leads: guard writes with the token.
//
// It imports nothing but the standard library and the boot clock, so that workloads in Go may use it too.
package leadership
