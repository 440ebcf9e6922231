// Package sight defines what it means to see a workload: running, stopped, or unknown. Whatever can see it (a child process,
// a pidfd, the run lock, a health endpoint, the pod's status) implements [Sight], and package stopwait decides by all of
// them when a Lease may be released.
//
// A [Sight] promises that it says Running only while work may go on, and Stopped only when none can. If it cannot know, it
// says Unknown, which decides nothing.
//
//	child ─┐
//	run lock ─┼─ Sight: State, Watch ──▶ stopwait ──▶ may the Lease be released?
//	pod ───┘
package sight

import (
	"context"
	"fmt"
)

// State is what a sight sees at one moment.
type State int

// What can be seen. Among several sights, Running beats Stopped, and both beat Unknown.
const (
	// Unknown: the workload was never seen, or this sight cannot tell whether it works.
	Unknown State = iota
	// Running: a process of the workload works, or may work.
	Running
	// Stopped: nothing of the workload works any more.
	Stopped
)

// String returns "unknown", "running" or "stopped".
func (s State) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Running:
		return "running"
	case Stopped:
		return "stopped"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Sight is one way of seeing the workload. Its methods must be safe for concurrent use.
type Sight interface {
	// Name is a short constant for logs and metrics, such as "child".
	Name() string
	// State returns what is seen now. It does not block. ending says that the pod is about to end. A sight that cannot tell a
	// working process from a standby is Unknown while the process is alive, but Running if ending, when every process must go.
	State(ending bool) State
	// Kills reports whether something kills the workload at its deadline. Then an unseen workload counts as stopped only a
	// kill margin after the deadline.
	Kills() bool
	// Watch looks closely until ctx ends, while a handover waits. It calls changed, which does not block, soon after each
	// change of State, and may call it without one. Calls may overlap.
	Watch(ctx context.Context, changed func())
}
