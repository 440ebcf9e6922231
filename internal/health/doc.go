// Package health checks the workload by an HTTP URL, a TCP address or a file, and says to the election whether the workload
// is healthy. A replica whose workload is unhealthy hands over, and does not campaign.
//
// It promises that a workload of unknown health is unhealthy until a check has passed, that one bad check of several does
// not move the leader (see [Config.Threshold]), and that the election is called only when the verdict changes. It does not
// promise that a healthy workload works: the check shows what the workload shows.
//
//	probe ──▶ gate ──▶ Checker ──┐
//	                             ├──▶ Board ──▶ Election (the elector)
//	the command's end (child) ───┘
//
// A health endpoint can also be a [sight.Sight]: see [Checker.Endpoint].
package health
