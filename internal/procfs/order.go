// Package procfs handles processes once they are started: it reads /proc (the process table, signal dispositions), holds a
// process by a pidfd, sends signals, waits for ends, and reaps children.
//
// It promises that a signal reaches the process that was seen, even if its pid is reused: an [ID] is a pid with a start
// time, and both are compared after the pidfd is open. It does not promise a complete table: a process that starts or ends
// during the read may be missing, so look again. All but [Order] needs Linux.
package procfs

import (
	"slices"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// ID identifies a process of this boot. A pid alone may be reused.
type ID struct {
	// PID is the process's number in this pid namespace.
	PID int `json:"pid"`
	// Start is when the process started, in clock ticks since boot: field 22 of /proc/PID/stat.
	Start uint64 `json:"startTime"`
}

// Order says what the guard, which gets it as a JSON line, does to a process at a deadline unless another order comes first.
type Order struct {
	// ID is the process.
	ID
	// Deadline is when the process gets Signal.
	Deadline bootclock.Instant `json:"deadline"`
	// Signal is sent at Deadline.
	Signal syscall.Signal `json:"signal"`
	// Gain is the signal that Signal revokes; 0: none. If Gain is still pending when Signal is sent, Signal is sent again
	// once both are taken: the process may handle two pending signals in either order.
	Gain syscall.Signal `json:"gain,omitempty"`
	// Kill is when the process, its descendants and Kin get SIGKILL; 0: never.
	Kill bootclock.Instant `json:"kill"`
	// Kin are other known processes of the workload: one whose parent has ended is no longer a descendant.
	Kin []ID `json:"kin,omitempty"`
}

// Equal reports whether both orders are the same.
func (o Order) Equal(other Order) bool {
	return o.ID == other.ID && o.Deadline == other.Deadline && o.Signal == other.Signal && o.Gain == other.Gain &&
		o.Kill == other.Kill && slices.Equal(o.Kin, other.Kin)
}
