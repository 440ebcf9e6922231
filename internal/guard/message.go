package guard

import (
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// subcommand makes the program a guard: `lease-sidecar guard -- CMD ARG…`.
const subcommand = "guard"

// Invoked reports whether these arguments (os.Args) make this process a guard, and returns the arguments for [Main].
func Invoked(args []string) (argv []string, ok bool) {
	if len(args) < 3 || args[1] != subcommand || args[2] != "--" {
		return nil, false
	}
	return args[3:], true
}

// Term is the term of leadership that the program runs for.
type Term struct {
	// Token names the term. A program of another term is stopped first. A program that ended is not started again in its term.
	Token string `json:"token"`
	// Env holds KEY=VALUE entries that are added to the program's environment.
	Env []string `json:"env"`
	// Until is when the program gets SIGTERM, unless the term is renewed.
	Until bootclock.Instant `json:"until"`
	// Kill is when it is killed, with all its descendants.
	Kill bootclock.Instant `json:"kill"`
}

// End is how a term's program ended.
type End struct {
	// Token names the term.
	Token string `json:"token"`
	// Status is the exit status as in a shell: 128 plus the signal that killed the program; 127 or 126 if it could not start.
	Status int `json:"status"`
	// Signal is the signal that killed the program; 0 if none did.
	Signal syscall.Signal `json:"signal"`
	// Ordered says that the guard had sent SIGTERM before the program ended.
	Ordered bool `json:"ordered"`
	// Fault says why the program could not start; "" if it did.
	Fault string `json:"fault"`
}

// Report is the guard's whole state. It replaces all earlier reports.
type Report struct {
	// Taken is the number of the last order that the guard has taken.
	Taken uint64 `json:"taken"`
	// PID is the program's; 0 while none runs.
	PID int `json:"pid"`
	// Alive says that the program or a descendant is alive.
	Alive bool `json:"alive"`
	// Killed says that all of them were sent SIGKILL.
	Killed bool `json:"killed"`
	// Ended is how the last program ended; nil if none has.
	Ended *End `json:"ended"`
}

// message is an order on the wire. Exactly one part is set.
type message struct {
	Number  uint64         `json:"number"`
	Run     *Term          `json:"run,omitempty"`
	Stop    *stop          `json:"stop,omitempty"`
	Forward syscall.Signal `json:"forward,omitempty"`
	Arm     *procfs.Order  `json:"arm,omitempty"`
	Disarm  bool           `json:"disarm,omitempty"`
}

// stop ends the program, and kills what is left of it at an instant. The newest instant counts for the program of the term
// with that token; for any other program it can only bring the deadline closer.
type stop struct {
	Token string            `json:"token"`
	Kill  bootclock.Instant `json:"kill"`
}
