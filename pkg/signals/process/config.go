package process

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Target says which process to signal. If both fields are set, the pid file's process must also have the name.
type Target struct {
	// Name is compared with the process's comm (15 bytes on Linux) and the last path element of its argv[0]. If several
	// match, the one whose parent does not match is meant.
	Name string
	// PIDFile is the absolute path of a file with the pid in decimal, as seen in the shared pid namespace.
	PIDFile string
}

// Given reports whether there is anything to look for.
func (t Target) Given() bool { return t != Target{} }

// String describes the target for messages.
func (t Target) String() string {
	switch {
	case t.PIDFile == "":
		return fmt.Sprintf("process named %q", t.Name)
	case t.Name == "":
		return "process by the pid file " + t.PIDFile
	}
	return fmt.Sprintf("process named %q by the pid file %s", t.Name, t.PIDFile)
}

// Config says which process to signal, and how. Only Target, Clock and Log are required.
type Config struct {
	Target Target
	// OnElected is sent when this replica leads, OnLost when it does not. 0 sends nothing.
	OnElected, OnLost Signo
	// Fence kills a process that does not end at OnLost, and all that it started, at the kill deadline: half of KillMargin
	// past the term's last validUntil on the boot clock. In a handover it is half of KillMargin past the drain's
	// validUntil, which renewals move, but at most StopTimeout after the handover began.
	Fence bool
	// StopTimeout is how long a process has to end in a handover before the fence kills it. Without a fence, a process that
	// is alive this long, and at least 2 s, after a stop counts as ignoring the stop, and gets gains again.
	StopTimeout time.Duration
	// KillMargin is the election's ([elector.Config.KillMargin] in package elector).
	KillMargin time.Duration
	// Crashed is called in its own goroutine when the process ends while this replica leads. It may block until Run's context
	// ends. May be nil.
	Crashed func()
	// Clock judges leaderships and deadlines.
	Clock bootclock.Clock
	// Log records which process got which signal (Info), and failures when they change (Warn).
	Log *slog.Logger
}

// Validate reports all faults of the user's choice at once, each as a [*field.Error]; see [field.Faults]. The fields are
// Target.Name, Target.PIDFile, OnElected, OnLost and Fence.
func (c Config) Validate() error {
	var faults field.Faults
	name, file := c.Target.Name, c.Target.PIDFile
	if !c.Target.Given() {
		const want = "a process to send it to, by its name or its pid file"
		if c.OnElected != 0 {
			faults.Wrong("OnElected", c.OnElected.String(), want)
		}
		if c.OnLost != 0 {
			faults.Wrong("OnLost", c.OnLost.String(), want)
		}
	}
	if strings.ContainsAny(name, "/\x00\n") {
		faults.Wrong("Target.Name", strconv.Quote(name), "the program's bare name, such as %q", filepath.Base(strings.TrimSpace(name)))
	}
	if file != "" && !filepath.IsAbs(file) {
		faults.Wrong("Target.PIDFile", strconv.Quote(file), "an absolute path, in a volume that both containers mount")
	}
	if c.OnElected.Ends() || c.OnElected.Parks() {
		faults.Wrong("OnElected", c.OnElected.String(), "HUP, USR1, USR2 or CONT: this one would end or stop the replica that has just been elected")
	}
	if c.OnElected != 0 && c.OnElected == c.OnLost {
		faults.Wrong("OnLost", c.OnLost.String(), "another signal than for the election: the process could not distinguish them")
	}
	switch {
	case !c.Fence:
	case c.OnLost == 0:
		faults.Wrong("Fence", "kill", "TERM (or KILL) as the signal for the loss: nothing asks the process to end before it is killed")
	case c.OnLost.Parks() || c.OnLost == cont:
		faults.Wrong("Fence", "kill", "TERM as the signal for the loss, or no fence: it would kill what %s leaves alive", c.OnLost)
	}
	return faults.Err()
}
