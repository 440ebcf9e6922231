package guard

import (
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Subcommand is the argument by which the program knows that it is to be a guard: `lease-sidecar guard -- CMD ARG…`.
const Subcommand = "guard"

// Term is what the program runs for: one term of leadership.
type Term struct {
	// Token names the term. A program of another term is stopped before this one's starts, and a program that ended is
	// not started again in its term.
	Token string `json:"token"`
	// Env is added to the program's environment, a KEY=VALUE each.
	Env []string `json:"env"`
	// Until is when the program is told to stop, unless the term is renewed.
	Until bootclock.Instant `json:"until"`
	// Kill is when it is killed, with all its descendants.
	Kill bootclock.Instant `json:"kill"`
}

// End is how a program of a term ended.
type End struct {
	// Token names the term.
	Token string `json:"token"`
	// Status is the exit status as a shell reckons it: 128 and the signal where one killed the program, 127 and 126
	// where it could not be started.
	Status int `json:"status"`
	// Signal is what killed the program; 0 where it ended by itself.
	Signal syscall.Signal `json:"signal"`
	// Ordered says that the program had been told to stop before it ended.
	Ordered bool `json:"ordered"`
	// Fault says why the program could not be started; "" where it was.
	Fault string `json:"fault"`
}

// Report is how things stand with the guard: a level, in which nothing of the ones before is lost.
type Report struct {
	// Heard is the number of the last order that the guard has taken.
	Heard uint64 `json:"heard"`
	// PID is the program's; 0 while none runs.
	PID int `json:"pid"`
	// Alive says that the program, or a descendant of it, still lives.
	Alive bool `json:"alive"`
	// Killed says that all of them have been sent SIGKILL.
	Killed bool `json:"killed"`
	// Ended is how the last program ended; nil before the first did.
	Ended *End `json:"ended"`
}

// message is an order on the wire. At most one of its parts is set; none: stop.
type message struct {
	Number  uint64         `json:"number"`
	Run     *Term          `json:"run,omitempty"`
	Stop    *stop          `json:"stop,omitempty"`
	Forward syscall.Signal `json:"forward,omitempty"`
	Arm     *procfs.Order  `json:"arm,omitempty"`
	Disarm  bool           `json:"disarm,omitempty"`
}

// stop ends the program, and kills what is left of it at an instant. For the program of the term with that token the newest
// instant counts; for another one's it can only bring the deadline closer.
type stop struct {
	Token string            `json:"token"`
	Kill  bootclock.Instant `json:"kill"`
}
