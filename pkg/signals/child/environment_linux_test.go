package child

import (
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// sample is a leadership with a text of its own in every field.
func sample() leadership.Leadership {
	wall := time.Date(2026, 11, 22, 10, 0, 0, 123_900_000, time.UTC)
	return leadership.Leadership{
		Lease: "web", Namespace: "apps", Identity: "web-a_1", IsLeader: true, Leader: "web-a", Token: "48213", Transitions: 4,
		Since: wall, ValidUntil: 812345678901, ValidUntilWall: wall.Add(10 * time.Second), BootID: "boot",
	}
}

func TestEnvironment(t *testing.T) {
	l := sample()
	t.Setenv("LEASE_SIDECAR_NAMESPACE", "apps") // the user's own, who says the same
	t.Setenv("LEASE_SIDECAR_IDENTITY", "web-a")
	got := strings.Join(environment(l), "\n")
	const document = `LEASE=web
NAMESPACE=apps
IDENTITY=web-a_1
LEADER=web-a
TOKEN=48213
TRANSITIONS=4
SINCE=2026-11-22T10:00:00.123Z
VALID_UNTIL=2026-11-22T10:00:10.123Z
VALID_UNTIL_BOOTTIME_NS=812345678901
BOOT_ID=boot
`
	with := func(prefix string) (s string) {
		for line := range strings.Lines(document) {
			s += prefix + line
		}
		return s
	}
	want := with("LEADERSHIP_") + with("LEASE_SIDECAR_") +
		"LEADERSHIP_COPIES=LEASE_SIDECAR_LEASE LEASE_SIDECAR_IDENTITY LEASE_SIDECAR_LEADER LEASE_SIDECAR_TOKEN " +
		"LEASE_SIDECAR_TRANSITIONS LEASE_SIDECAR_SINCE LEASE_SIDECAR_VALID_UNTIL LEASE_SIDECAR_VALID_UNTIL_BOOTTIME_NS LEASE_SIDECAR_BOOT_ID"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a program below finds in its environment: a copy of the document is no flag, a value of the user's own is.
func TestFromDocument(t *testing.T) {
	l := sample()
	t.Setenv("LEASE_SIDECAR_NAMESPACE", "apps")
	for _, one := range environment(l) {
		name, value, _ := strings.Cut(one, "=")
		t.Setenv(name, value)
	}
	t.Setenv("LEASE_SIDECAR_LEASE", "other") // set anew by the program
	t.Setenv("LEASE_SIDECAR_STORE", "dir:leases")
	for name, want := range map[string]bool{
		"LEASE_SIDECAR_IDENTITY": true, "LEASE_SIDECAR_TOKEN": true, "LEASE_SIDECAR_NAMESPACE": false,
		"LEASE_SIDECAR_LEASE": false, "LEASE_SIDECAR_STORE": false, "LEADERSHIP_TOKEN": false, "HOME": false,
	} {
		if got := FromDocument(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
