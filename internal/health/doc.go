// Package health checks the workload by an HTTP URL, a TCP address or a file, and tells the election whether it is healthy.
// A replica with an unhealthy workload hands over, and does not campaign.
//
// It promises that a workload is unhealthy until its first passed check, that one failed check of several does not move the
// leader (see [Config.Threshold]), and that the election is called only when the health changes. It does not promise that a
// healthy workload works: a check sees only what the endpoint shows. An endpoint can be a sight too: see [Checker.Endpoint].
//
//	probe ──▶ gate ──▶ Checker ──┐
//	                             ├──▶ Board ──▶ Election (the elector)
//	the command's end (child) ───┘
package health
