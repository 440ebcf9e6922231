//go:build linux

package integration

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestHTTPAtTheDeadline is fault 14's last part: a leader that is cut off is asked without a pause while its validUntil
// passes. Whoever asks at or past the validUntil that the answer itself names is told "not leader".
func TestHTTPAtTheDeadline(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	line := e.Cluster.Proxy(t)
	leader := e.Prepare(t, "web-0")
	leader.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
	leader.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	heir := e.Start(t, "web-1")
	witness := harness.Watch(t, leader, heir)
	awaitRenewal(t, leader)
	line.Cut()
	cut := now()

	var yes, no atomic.Int64
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for end := cut.Add(e.Duration); now().Before(end); {
				asked := now()
				status, told := leader.Leader()
				switch {
				case status == http.StatusServiceUnavailable && !told.IsLeader:
					no.Add(1)
				case status == http.StatusOK && told.IsLeader && asked.Before(told.ValidUntil):
					yes.Add(1)
				default:
					t.Errorf("asked %v after the validUntil that the answer names: status %d, %+v", asked.Sub(told.ValidUntil), status, told)
					return
				}
			}
		})
	}
	asking.Wait()
	if yes.Load() == 0 || no.Load() == 0 {
		t.Errorf("%d times yes and %d times no, want both: the deadline did not pass under the questions", yes.Load(), no.Load())
	}
	harness.AwaitLeader(t, e.Duration+slack, heir)
	line.Heal()
	harness.Eventually(t, slack, "the healed replica names its successor", func() bool {
		_, told := leader.Leader()
		return told.Leader == heir.Pod
	})
	witness.Verdict(t)
}
