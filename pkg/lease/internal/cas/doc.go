// Package cas is compare-and-swap on Lease objects, by the API server's rules, for the stores that have no API
// server: the directory and the memory.
//
// It promises the rules only (who may replace what, which version comes next). It does not lock and does not
// store: the caller holds its own lock around the read, the rule and the write.
package cas
