//go:build linux

package integration

import (
	"os"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// slack is room for a slow machine in bounds from above. Bounds from below (never too early) have none.
const slack = 30 * time.Second

// promised are the flags of replicas whose workload always stops at once when the term is lost: nothing else shows it here.
var promised = []string{"--drain-timeout", "50ms"}

// now reads the clock that sidecars and tests share.
func now() bootclock.Instant { return bootclock.System{}.Now() }

// sent returns when the newest applied write of a leader was sent, reckoned from what it published.
func sent(e *harness.Election, s *harness.Sidecar) bootclock.Instant {
	return s.State().ValidUntil.Add(-e.RenewDeadline())
}
