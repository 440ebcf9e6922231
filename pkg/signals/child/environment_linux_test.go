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
	got := strings.Join(environment(sample()), "\n")
	const want = `LEADERSHIP_LEASE=web
LEADERSHIP_NAMESPACE=apps
LEADERSHIP_IDENTITY=web-a_1
LEADERSHIP_LEADER=web-a
LEADERSHIP_TOKEN=48213
LEADERSHIP_TRANSITIONS=4
LEADERSHIP_SINCE=2026-11-22T10:00:00.123Z
LEADERSHIP_VALID_UNTIL=2026-11-22T10:00:10.123Z
LEADERSHIP_VALID_UNTIL_BOOTTIME_NS=812345678901
LEADERSHIP_BOOT_ID=boot`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
