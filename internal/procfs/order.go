// Package procfs is all that this program does with processes but for starting them: it reads /proc (the process table, what
// a process does with signals), holds a process by a pidfd, sends it signals, waits for its end, and reaps children.
//
// It promises that a signal reaches the process that was seen, never another that has its pid by now: an [ID] is a pid with a
// start time, and both are compared once the pidfd is open. It does not promise a complete table: a process that starts or ends
// while the table is read may be missing, so look again. All but [Order] needs Linux.
package procfs

import (
	"slices"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// ID identifies a process of this boot. A pid alone is given out again.
type ID struct {
	// PID is the process's number in this pid namespace.
	PID int `json:"pid"`
	// Start is when the process started, in clock ticks since boot: field 22 of /proc/PID/stat.
	Start uint64 `json:"startTime"`
}

// Order is what happens to a process at a deadline, unless another order comes before. The process signal gives it to the guard,
// as a JSON line.
type Order struct {
	// ID is the process.
	ID
	// Deadline is when the process gets Signal.
	Deadline bootclock.Instant `json:"deadline"`
	// Signal is what the process gets at Deadline.
	Signal syscall.Signal `json:"signal"`
	// Gain is the signal that Signal takes back. Where it is still pending when Signal is sent, Signal is sent once more after
	// both are taken: the process may handle two pending signals in either order. 0: nothing is taken back.
	Gain syscall.Signal `json:"gain,omitempty"`
	// Kill is when the process gets SIGKILL, with its descendants and Kin; 0: never.
	Kill bootclock.Instant `json:"kill"`
	// Kin are other processes of the workload that were seen. One whose parent has ended is no descendant any more.
	Kin []ID `json:"kin,omitempty"`
}

// Equal reports whether both orders are the same.
func (o Order) Equal(other Order) bool {
	return o.ID == other.ID && o.Deadline == other.Deadline && o.Signal == other.Signal && o.Gain == other.Gain &&
		o.Kill == other.Kill && slices.Equal(o.Kin, other.Kin)
}
