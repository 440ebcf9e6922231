package guard

import (
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ignoredVariable tells the guard which signals its sidecar was started with ignored. The guard removes it from its
// environment, so that no program sees it.
const ignoredVariable = "LEASE_SIDECAR_GUARD_IGNORES"

// atStart holds the signals ignored at the start. It is set before anybody catches a signal.
var atStart = ignoredAtStart()

// Ignored returns which of SIGHUP, SIGINT and SIGQUIT were ignored when this process started, as under nohup and in a
// shell's background jobs. The Go runtime does not report SIGQUIT: it counts as ignored if SIGINT is, as shells ignore both.
func Ignored() []syscall.Signal { return slices.Clone(atStart) }

func ignoredAtStart() []syscall.Signal {
	var ignored []syscall.Signal
	if signal.Ignored(syscall.SIGHUP) {
		ignored = append(ignored, syscall.SIGHUP)
	}
	if signal.Ignored(syscall.SIGINT) {
		ignored = append(ignored, syscall.SIGINT, syscall.SIGQUIT)
	}
	return ignored
}

// ignoredEntry returns the environment entry for a guard process.
func ignoredEntry() string {
	var numbers []string
	for _, s := range atStart {
		numbers = append(numbers, strconv.Itoa(int(s)))
	}
	return ignoredVariable + "=" + strings.Join(numbers, ",")
}

// takeIgnored returns the signals that the sidecar was started with ignored, and removes the variable.
func takeIgnored() []os.Signal {
	var ignored []os.Signal
	for number := range strings.SplitSeq(os.Getenv(ignoredVariable), ",") {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			ignored = append(ignored, syscall.Signal(n))
		}
	}
	_ = os.Unsetenv(ignoredVariable) // cannot fail for a valid name
	return ignored
}
