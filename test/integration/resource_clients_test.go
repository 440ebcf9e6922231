//go:build linux

package integration

import (
	"net/http"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestThousandsOfClients has 2,100 clients at once ask the leader and wait for its events: it leads on, renews in time, and
// hands over.
func TestThousandsOfClients(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	e.Flags = []string{"--drain-timeout", "100ms"}
	var replicas []*harness.Sidecar
	for _, name := range []string{"web-0", "web-1"} {
		s := e.Prepare(t, name)
		s.Binary = harness.ShippedBinary(t) // the race detector makes each answer cost milliseconds
		s.Start(t, e)
		replicas = append(replicas, s)
	}
	watch(t, replicas...)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	heir := harness.Others(replicas, leader)[0]

	crowd := harness.NewCrowd(t)
	crowd.Ask(1400, leader.HTTP, "/leader")
	crowd.Ask(300, leader.HTTP, "/events") // of which 64 find a place
	crowd.Ask(400, leader.Probe, "/leader")
	checkLeadsOn(t, leader, 2*e.Duration)
	harness.Eventually(t, 2*slack, "all are connected, and most have been answered", func() bool {
		return crowd.Present() >= 2000 && crowd.Answers()[http.StatusOK] >= 1800
	})
	checkLeadsOn(t, leader, e.Duration)
	t.Logf("with %d clients: answers by status %v, resident memory %d MiB", crowd.Present(), crowd.Answers(),
		statusKiB(t, leader.PID(), "VmRSS")>>10)

	checkHandsOver(t, e, leader, heir)
	refused := crowd.Answers()[http.StatusServiceUnavailable]
	harness.Eventually(t, 2*slack, "the crowd hears that it leads no more", func() bool {
		return crowd.Answers()[http.StatusServiceUnavailable] >= refused+1000
	})
	crowd.Leave()
}

// TestSlowClients has 400 clients send their requests a byte at a time, and never to the end: heads and the bodies of
// orders, to both listeners. They are cut off; everybody else is answered; the leader leads on and no half order counts.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	e, replicas, leader := elect(t, harness.Shared(t), 5*time.Second, 2, "--drain-timeout", "100ms")
	heir := harness.Others(replicas, leader)[0]

	crowd := harness.NewCrowd(t)
	for _, address := range []string{leader.HTTP, leader.Probe} {
		crowd.Drip(100, address, "GET /leader HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "slow")
	}
	crowd.Drip(100, leader.HTTP, "POST /step-down HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "slow")
	crowd.Drip(100, leader.HTTP, "POST /quitquitquit HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n")
	harness.Eventually(t, slack, "all are connected", func() bool { return crowd.Present() >= 300 })
	checkLeadsOn(t, leader, 2*e.Duration)
	harness.Eventually(t, slack, "the slow are cut off", func() bool { return crowd.Cut() >= 400 })
	t.Logf("%d were cut off; resident memory %d MiB", crowd.Cut(), statusKiB(t, leader.PID(), "VmRSS")>>10)
	checkHandsOver(t, e, leader, heir)
	crowd.Leave()
}

// checkLeadsOn watches for a while that a leader leads on in one term, by its files, and answers.
func checkLeadsOn(t *testing.T, leader *harness.Sidecar, span time.Duration) {
	t.Helper()
	_, token := leader.Leads()
	asked := now()
	harness.Throughout(t, span, "it leads on in the same term, and answers", func() bool {
		leads, same := leader.Leads()
		if now().Sub(asked) > 200*time.Millisecond {
			asked = now()
			status, l := leader.Leader()
			leads = leads && status == http.StatusOK && l.Token == token && leader.ProbeStatus("/livez") == http.StatusOK
		}
		return leads && same == token
	})
}

// checkHandsOver asks the leader to step down: the heir leads without the Lease running out.
func checkHandsOver(t *testing.T, e *harness.Election, leader, heir *harness.Sidecar) {
	t.Helper()
	awaitRenewal(t, leader)
	asked := now()
	checkDraining(t, leader)
	harness.AwaitLeader(t, e.Duration+slack, heir)
	took := sent(e, heir).Sub(asked)
	t.Logf("handed over in %v, 100 ms of it for the app", took.Round(time.Millisecond))
	if took >= e.Duration {
		t.Errorf("the handover took %v, want the Lease released before it runs out", took)
	}
}
