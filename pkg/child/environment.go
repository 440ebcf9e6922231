package child

import (
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// environment returns the leadership document as variables, a KEY=VALUE each. What it says is of the start: the deadline
// rises with each renewal, and the program is told to stop when it does not.
func environment(l leadership.Leadership) []string {
	return []string{
		"LEASE_SIDECAR_LEASE=" + l.Lease,
		"LEASE_SIDECAR_NAMESPACE=" + l.Namespace,
		"LEASE_SIDECAR_IDENTITY=" + l.Identity,
		"LEASE_SIDECAR_LEADER=" + l.Leader,
		"LEASE_SIDECAR_TOKEN=" + l.Token,
		"LEASE_SIDECAR_TRANSITIONS=" + strconv.FormatInt(l.Transitions, 10),
		"LEASE_SIDECAR_SINCE=" + stamp(l.Since),
		"LEASE_SIDECAR_VALID_UNTIL=" + stamp(l.ValidUntilWall),
		"LEASE_SIDECAR_VALID_UNTIL_BOOTTIME_NS=" + l.ValidUntil.String(),
		"LEASE_SIDECAR_BOOT_ID=" + l.BootID,
	}
}

// stamp prints a time as the document does, in whole milliseconds rounded down.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
