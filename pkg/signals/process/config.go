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

// Target says which process to signal. With both fields set the pid file's process must have the name, too.
type Target struct {
	// Name is compared with the process's comm (of which Linux keeps 15 bytes) and with the last path element of its
	// argv[0]. Of several that match, the one whose parent does not match is meant.
	Name string
	// PIDFile is the absolute path of a file that holds the pid as a decimal number, as seen in the pid namespace that the
	// sidecar shares.
	PIDFile string
}

// Given reports whether there is anything to look for.
func (t Target) Given() bool { return t != Target{} }

// String says what is looked for, for messages.
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
	// OnElected is the signal that the process gets when this replica leads, OnLost the one when it does not; 0: none.
	OnElected, OnLost Signo
	// Fence has a process that does not end at OnLost killed at the kill deadline, with all that it started: half of
	// KillMargin past the last validUntil of the term on the boot clock; in a handover past that of the hold, which is
	// renewed, and no later than StopTimeout after its begin.
	Fence bool
	// StopTimeout is how long a process gets to end in a handover before the fence kills it. Without a fence, a process that got a
	// stop and has lived for so long after it, and for 2 s, counts as one that does not act on it, and gets a gain again.
	StopTimeout time.Duration
	// KillMargin is the election's own ([elector.Config.KillMargin] in package elector).
	KillMargin time.Duration
	// Crashed is called when the process has ended while this replica leads, in a goroutine of its own. It may block until Run's
	// context ends. May be nil.
	Crashed func()
	// Clock judges leaderships and deadlines.
	Clock bootclock.Clock
	// Log takes what was signalled to which process (Info), and failures when they change (Warn).
	Log *slog.Logger
}

// Validate reports every fault of what the user chose at once, each a [*field.Error]: see [field.Faults]. The fields are
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
