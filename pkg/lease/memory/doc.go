// Package memory keeps Leases in memory, for tests: an API server in miniature ([Backend]), and for each
// candidate a [Store] whose connection to it can be broken in every way that a network can break it.
//
// It promises the [lease.Store] contract and nothing but channels, mutexes and timers inside, so that it works in
// a testing/synctest bubble (make the Backend inside the bubble). It does not promise to outlive the process.
//
//	candidate a → Store ─ Fate, stall, lag ─┐
//	candidate b → Store ─ Fate, stall, lag ─┼→ Backend ← Edit, Delete, Restore, Compact (the administrator)
package memory
