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
	// documentPrefix begins the names of the document's variables. No flag of the sidecar reads one.
	documentPrefix = "LEADERSHIP_"
	// oldPrefix begins their former names, which are set as copies for one release. The variables of the sidecar's flags begin
	// with it too.
	oldPrefix = "LEASE_SIDECAR_"
	// copies names the variable that lists those copies, so that a sidecar below does not read them as its flags.
	copies = documentPrefix + "COPIES"
)

// environment returns the leadership document as variables, a KEY=VALUE each. It shows the state at the start: the
// deadline rises with each renewal, and the command is stopped when it does not.
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
			copied = append(copied, name) // else it is the user's own variable with the same value
		}
	}
	return append(slices.Concat(variables, old), copies+"="+strings.Join(copied, " "))
}

// stamp prints a time as the document does, in whole milliseconds rounded down.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// FromDocument reports whether the environment variable with that name holds a copy of a leadership document: this process
// runs below a sidecar in child mode, which gave it the document under the names that flags have. A variable that somebody
// has set since is no copy.
func FromDocument(name string) bool {
	document, old := strings.CutPrefix(name, oldPrefix)
	return old && slices.Contains(strings.Fields(os.Getenv(copies)), name) &&
		os.Getenv(name) == os.Getenv(documentPrefix+document)
}
