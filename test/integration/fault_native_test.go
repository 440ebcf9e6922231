//go:build linux

package integration

import (
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestSIGTERMComesBeforeTheAppEnds sends SIGTERM to a sidecar two seconds before its app is killed, as a kubelet does when
// the grace period ends, and as a failed liveness probe of the sidecar does. The signal proves nothing about the app: where
// nothing can see it, the Lease is kept until the last validUntil that it was told.
func TestSIGTERMComesBeforeTheAppEnds(t *testing.T) {
	t.Parallel()
	for _, placement := range []string{"native", "classic"} {
		t.Run(placement, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
			e.ShipFree(t)
			work := harness.NewWork(t)
			s := e.Prepare(t, "web-0")
			s.Args = append(s.Args, "--placement", placement)
			s.Start(t, e)
			harness.AwaitLeader(t, e.Duration+slack, s)
			app := work.Start(t, s.Pod, "linger=60")
			work.Await(t, slack, s.Pod)
			startHeir(t, e, work)

			awaitRenewal(t, s)
			strike(t, syscall.SIGTERM, s.PID())
			time.Sleep(2 * time.Second)
			app.Stop(0)
			work.Await(t, e.Duration+slack, "web-1")
			s.AwaitExit(t, e.Duration+slack, 0)
			work.Verdict(t)
		})
	}
}
