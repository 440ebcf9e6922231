package guard

import (
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// subcommand is the argument that makes the program a guard: `lease-sidecar guard -- CMD ARG…`.
const subcommand = "guard"

// Invoked reports whether the arguments of this process (os.Args) make it a guard, and returns what to give to [Main] then.
func Invoked(args []string) (argv []string, ok bool) {
	if len(args) < 3 || args[1] != subcommand || args[2] != "--" {
		return nil, false
	}
	return args[3:], true
}

// Term is what the program runs for: one term of leadership.
type Term struct {
	// Token names the term. A program of another term is stopped before this one's starts, and a program that ended is
	// not started again in its term.
	Token string `json:"token"`
	// Env is added to the program's environment, a KEY=VALUE each.
	Env []string `json:"env"`
	// Until is when the program gets SIGTERM, unless the term is renewed.
	Until bootclock.Instant `json:"until"`
	// Kill is when it is killed, with all its descendants.
	Kill bootclock.Instant `json:"kill"`
}

// End is how a program of a term ended.
type End struct {
	// Token names the term.
	Token string `json:"token"`
	// Status is the exit status as a shell counts it: 128 and the signal where one killed the program, 127 and 126
	// where it could not be started.
	Status int `json:"status"`
	// Signal is what killed the program; 0 where it ended by itself.
	Signal syscall.Signal `json:"signal"`
	// Ordered says that the program had got SIGTERM from the guard before it ended.
	Ordered bool `json:"ordered"`
	// Fault says why the program could not be started; "" where it was.
	Fault string `json:"fault"`
}

// Report is the guard's whole state: the newest report replaces those before it.
type Report struct {
	// Taken is the number of the last order that the guard has taken.
	Taken uint64 `json:"taken"`
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
