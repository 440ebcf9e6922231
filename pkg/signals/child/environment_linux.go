package child

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// documentPrefix begins the names of the document's variables. No sidecar flag reads a variable with this prefix.
	documentPrefix = "LEADERSHIP_"
	// oldPrefix begins their former names, still set for one release. The variables of the flags begin with it too.
	oldPrefix = "LEASE_SIDECAR_"
	// copies names the variable that lists those copies, so that a sidecar below does not read them as flags.
	copies = documentPrefix + "COPIES"
)

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
	var variables, old, copied []string
	for _, one := range document {
		variables = append(variables, documentPrefix+one[0]+"="+one[1])
		name := oldPrefix + one[0]
		old = append(old, name+"="+one[1])
		if given, ok := os.LookupEnv(name); !ok || given != one[1] || FromDocument(name) {
			copied = append(copied, name) // otherwise the user set this variable, with the same value
		}
	}
	return append(slices.Concat(variables, old), copies+"="+strings.Join(copied, " "))
}

// stamp prints a time as the document does: in UTC, rounded down to milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// FromDocument reports whether a variable is a copy of the leadership document under a flag's name, set by a sidecar in
// child mode above this process. A variable that was changed since is not a copy.
func FromDocument(name string) bool {
	document, old := strings.CutPrefix(name, oldPrefix)
	return old && slices.Contains(strings.Fields(os.Getenv(copies)), name) &&
		os.Getenv(name) == os.Getenv(documentPrefix+document)
}
