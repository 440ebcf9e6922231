package child

import (
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// documentPrefix begins the names of the document's variables. No flag reads a variable with this prefix: the command may be
// another sidecar.
const documentPrefix = "LEADERSHIP_"

// environment returns the leadership document as KEY=VALUE variables. It shows the state at the start of the command:
// renewals, which move the deadline, do not change it.
func environment(l leadership.Leadership) []string {
	document := [][2]string{
		{"LEASE", l.Lease},
		{"NAMESPACE", l.Namespace},
		{"IDENTITY", l.Identity},
		{"LEADER", l.Leader},
		{"TOKEN", l.Token},
		{"TRANSITIONS", strconv.FormatInt(l.Transitions, 10)},
		{"SINCE", stamp(l.Since)},
		{"VALID_UNTIL", stamp(l.ValidUntilWall)},
		{"VALID_UNTIL_BOOTTIME_NS", l.ValidUntil.String()},
		{"BOOT_ID", l.BootID},
	}
	var variables []string
	for _, one := range document {
		variables = append(variables, documentPrefix+one[0]+"="+one[1])
	}
	return variables
}

// stamp prints a time as the document does: in UTC, rounded down to milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
