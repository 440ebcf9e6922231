// Package examples holds the tests of the programs under examples/, in each of their languages: against a real
// sidecar, and against files and answers that a sidecar would never give. It takes workloads that cannot ask, which know
// process signals or are run as the sidecar's child, through the same faults.
//
// They promise that each program works while it leads, and that none does a piece of work under an old token after one
// was done under a newer token. They do not bound how soon a program notices, but for the end of its term.
//
//	sidecar ──► files, HTTP ──► worker ──► its lines ──► transcript: one pipe for all, in the order of the writing
package examples
