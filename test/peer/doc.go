// Command peer is a program as client-go's own users write them: it campaigns for a Lease with client-go's elector,
// works while it leads, and ends once it does not lead any more. The integration tests run it beside the sidecar.
//
// It promises that its journal says what its work was asked: a line "<CLOCK_BOOTTIME in ns> started" or "… stopped",
// each written before peer goes on. It stops its work before it cancels the election, as client-go asks of those
// who set ReleaseOnCancel. It does not promise more safety than client-go's elector has: that is what is looked at.
//
// One source is built against two versions of client-go: go.mod pins v0.37, v0.36.mod pins v0.36.
//
//	main (flags, SIGTERM) ──▶ campaign (client-go's elector) ── callbacks ──▶ journal
package main
