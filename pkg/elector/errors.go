package elector

import (
	"errors"
	"fmt"
)

var (
	// ErrNotLeading answers a step-down asked of a candidate that does not lead.
	ErrNotLeading = errors.New("this replica does not lead")
	// ErrHeld answers an attempt to open a hold whose lock another live process has.
	ErrHeld = errors.New("another lease-sidecar holds this signal directory")
)

// CollisionError ends an election whose Lease is annotated for another workload: two workloads derived or were
// given one Lease name, and sharing it would leave one of them without any active replica.
type CollisionError struct {
	// Lease and Namespace name the Lease; Workload is ours, Other the one annotated.
	Lease, Namespace, Workload, Other string
}

// Error names both workloads and the mend.
func (e *CollisionError) Error() string {
	return fmt.Sprintf("Lease %s/%s belongs to %s, not to %s: give one of them another --prefix or --lease-name "+
		"(or, if %s is gone, delete the Lease)", e.Namespace, e.Lease, e.Other, e.Workload, e.Other)
}
