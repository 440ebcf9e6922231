package main

import "time"

// stopOptions say how the workload is stopped.
var stopOptions = []string{"stop-timeout", "drain-timeout", "on-loss"}

// shortestStop is the least stop timeout: below it every handover would abandon, or kill, a workload that is just ending.
const shortestStop = time.Second

// stopTimeout reads how long a workload that is seen to run is waited for in a planned stop.
func (a answers) stopTimeout() time.Duration {
	d, ok := a.readDuration("stop-timeout")
	if ok && d < shortestStop {
		a.addf("--stop-timeout %q: want %s or more; 30s is usual, and no more than the pod's terminationGracePeriodSeconds", a.text("stop-timeout"), shortestStop)
	}
	return d
}

// exitOnLoss reads what follows an unplanned loss.
func (a answers) exitOnLoss() bool { return a.choice("on-loss", "stand-by", "exit") == "exit" }
