package guard

import (
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ignoredVariable says which signals its sidecar was started with ignored. The guard takes it out of its
// environment, so that no program sees it.
const ignoredVariable = "LEASE_SIDECAR_GUARD_IGNORES"

// atStart is what this process was started with. It is read before anybody catches a signal.
var atStart = ignoredAtStart()

// Ignored returns which of SIGHUP, SIGINT and SIGQUIT this process was started with ignored, as nohup and the background
// jobs of a shell are. The Go runtime does not report SIGQUIT: it counts as ignored where SIGINT is, as a shell ignores
// both.
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

// ignoredEntry returns the environment's entry for a guard process.
func ignoredEntry() string {
	var numbers []string
	for _, s := range atStart {
		numbers = append(numbers, strconv.Itoa(int(s)))
	}
	return ignoredVariable + "=" + strings.Join(numbers, ",")
}

// takeIgnored returns what the sidecar was started with ignored, and takes it out of the environment.
func takeIgnored() []os.Signal {
	var ignored []os.Signal
	for number := range strings.SplitSeq(os.Getenv(ignoredVariable), ",") {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			ignored = append(ignored, syscall.Signal(n))
		}
	}
	_ = os.Unsetenv(ignoredVariable) // of a valid name it cannot fail
	return ignored
}
