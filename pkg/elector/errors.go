package elector

import (
	"errors"
	"fmt"
)

var (
	// ErrNotLeading answers a step-down asked of a candidate that does not lead.
	ErrNotLeading = errors.New("this replica does not lead")
	// ErrDraining answers a step-down asked of a candidate that hands over already.
	ErrDraining = errors.New("this replica is handing over already: it waits for its workload to stop")
	// ErrNotRunning answers a command to an election that has ended, or whose loop does not take it in time.
	ErrNotRunning = errors.New("the election does not run")
	// ErrLeadershipLost ends an election with [Config.ExitOnLoss] whose term has ended unasked.
	ErrLeadershipLost = errors.New("leadership was lost")
	// ErrHeld answers an attempt to open a hold whose lock another live process has.
	ErrHeld = errors.New("another lease-sidecar holds this signal directory")
)

// CollisionError ends an election whose Lease is annotated for another workload: two workloads derived or were
// given one Lease name, and sharing it would leave one of them without any active replica.
type CollisionError struct {
	// Lease and Namespace name the Lease; Workload is ours, Other the one annotated.
	Lease, Namespace, Workload, Other string
}

// Error names both workloads and the fix.
func (e *CollisionError) Error() string {
	return fmt.Sprintf("Lease %s/%s belongs to %s, not to %s: give one of them another --prefix or --lease-name "+
		"(or, if %s is gone, delete the Lease)", e.Namespace, e.Lease, e.Other, e.Workload, e.Other)
}
