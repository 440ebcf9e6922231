// Package bench measures what the sidecar costs while nothing happens, and how long a planned handover takes: this code,
// another build of it, and client-go's elector, at the same time on one real API server, so that the machine's moods fall on
// all of them alike.
//
// It promises figures, and judges none: a test that must hold on every machine is in package integration. Run it with
// `make bench-idle`.
package bench
