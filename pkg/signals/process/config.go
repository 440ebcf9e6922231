package process

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Target says which process to tell. With both fields set the pid file's process must bear the name, too.
type Target struct {
	// Name is compared with the process's comm (of which Linux keeps 15 bytes) and with the last path element of its
	// argv[0]. Of several that match, the one whose parent does not match is meant.
	Name string
	// PIDFile holds the pid as a decimal number, as seen in the pid namespace that the sidecar shares.
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

// Config says whom to tell, and how. Only Target, Clock and Log are required.
type Config struct {
	Target Target
	// OnElected and OnLost are the signals; 0: none.
	OnElected, OnLost Signo
	// Fence has a process that does not end at OnLost killed at the kill deadline, with all that it started: half of
	// KillMargin past the last validUntil of the term on the boot clock; in a handover past that of the hold, which is
	// renewed, and no later than StopTimeout after its begin.
	Fence bool
	// StopTimeout is how long a process gets to end in a handover before the fence kills it. Without a fence, a process that was told
	// to end and has lived for so long after it, and for 2 s, counts as one that does not act on it, and is told a gain again.
	StopTimeout time.Duration
	// KillMargin is the election's own ([elector.Config.KillMargin] in package elector).
	KillMargin time.Duration
	// Crashed is told that the process has ended while this replica leads. It must not block. May be nil.
	Crashed func()
	// Guard keeps the word of a sidecar that is frozen or dead. May be nil.
	Guard Guard
	// Clock judges levels and deadlines.
	Clock bootclock.Clock
	// Log takes what was told to whom (Info), and troubles when they change (Warn).
	Log *slog.Logger
}

// Guard is another process that acts at a deadline which nobody has moved. Its methods must not block for long.
type Guard interface {
	// Arm replaces whatever order stands.
	Arm(procfs.Order) error
	// Disarm takes the order back.
	Disarm()
}

// Validate reports every fault of what the user chose at once, each with the flag, its value and the mend, as a
// *multierror.Error.
func (c Config) Validate() error {
	var faults *multierror.Error
	fault := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }

	name, file := c.Target.Name, c.Target.PIDFile
	if !c.Target.Given() {
		for _, given := range []struct {
			flag  string
			signo Signo
		}{{"on-elected", c.OnElected}, {"on-lost", c.OnLost}} {
			if given.signo != 0 {
				fault("--%s %s: to which process? Set --process-name or --pid-file", given.flag, given.signo)
			}
		}
	}
	if strings.ContainsAny(name, "/\x00\n") {
		fault("--process-name %q: want the program's bare name, such as %q", name, filepath.Base(strings.TrimSpace(name)))
	}
	if file != "" && !filepath.IsAbs(file) {
		fault("--pid-file %q: want an absolute path, in a volume that both containers mount", file)
	}
	if c.OnElected.Ends() || c.OnElected.Parks() {
		fault("--on-elected %s: it would end or stop the replica that has just been elected: choose HUP, USR1, USR2 or CONT", c.OnElected)
	}
	if c.OnElected != 0 && c.OnElected == c.OnLost {
		fault("--on-lost %s: it is the same as --on-elected, so the process could not tell them apart: choose another", c.OnLost)
	}
	switch {
	case !c.Fence:
	case c.OnLost == 0:
		fault("--fence kill: nothing asks the process to end before it is killed: add --on-lost TERM (or KILL)")
	case c.OnLost.Parks() || c.OnLost == cont:
		fault("--fence kill: it would kill what --on-lost %s leaves alive: drop one of them, or take --on-lost TERM", c.OnLost)
	}
	return faults.ErrorOrNil()
}
