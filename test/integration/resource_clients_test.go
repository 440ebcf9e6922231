//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestManyClients has nearly as many clients as the leader keeps connections for ask it and wait for its events: it leads on, renews
// in time, and hands over.
func TestManyClients(t *testing.T) {
	crowd := harness.NewLargeCrowd(t)
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

	crowd.Ask(1000, leader.HTTP, "/leader")
	crowd.Ask(250, leader.HTTP, "/events")
	crowd.Ask(240, leader.Probe, "/leader")
	checkLeadsOn(t, leader, 2*e.Duration)
	harness.Eventually(t, 2*slack, "all are connected, and have been answered", func() bool {
		return crowd.Present() >= 1400 && crowd.Answers()[http.StatusOK] >= 1450
	})
	checkLeadsOn(t, leader, e.Duration)
	checkBounded(t, leader, httpapi.MaxWorkloadConnections+httpapi.MaxProbeConnections)
	t.Logf("with %d clients: answers by status %v", crowd.Present(), crowd.Answers())

	checkHandsOver(t, e, leader, heir)
	refused := crowd.Answers()[http.StatusServiceUnavailable]
	harness.Eventually(t, 2*slack, "the crowd hears that it leads no more", func() bool {
		return crowd.Answers()[http.StatusServiceUnavailable] >= refused+900
	})
	crowd.Leave()
}

// TestFlood has 10,000 clients connect to the probe port again and again, which say nothing, beside 100 that send a request
// that never ends: the kubelet's probes are answered, the replica leads on in one term, and its memory and descriptors stay bounded.
func TestFlood(t *testing.T) {
	crowd := harness.NewLargeCrowd(t)
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.ShipFree(t)
	leader := e.Prepare(t, "web-0")
	leader.Binary = harness.ShippedBinary(t)
	leader.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	_, token := leader.Leads()

	crowd.Drip(100, leader.Probe, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "slow")
	crowd.Hold(10_000, "127.0.0.2", leader.Probe)
	harness.Eventually(t, 2*slack, "more were cut off than there is room for", func() bool { return crowd.Cut() > 10_000 })
	// As the kubelet does: a new connection for each probe. It gives up after 1 s, and repeats a failed probe twice.
	kubelet := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var took []time.Duration
	for range 50 {
		asked := now()
		answer, err := kubelet.Get("http://" + leader.Probe + "/livez")
		if err != nil {
			t.Fatalf("a probe during the flood: %v", err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("a probe during the flood: %s", answer.Status)
		}
		took = append(took, now().Sub(asked))
		time.Sleep(100 * time.Millisecond)
	}
	checkBounded(t, leader, httpapi.MaxProbeConnections)
	t.Logf("%d connections were cut off; probes took %v (p50), %v at most", crowd.Cut(), harness.Rank(took, .5), harness.Rank(took, 1))
	if leads, same := leader.Leads(); !leads || same != token {
		t.Error("the leader lost its term in the flood")
	}
	if !strings.Contains(leader.Log(), "TooManyConnections") {
		t.Error("the log does not name the flood")
	}
	crowd.Leave()
}

// checkBounded checks that a sidecar has no more descriptors and memory than that many connections need.
func checkBounded(t *testing.T, s *harness.Sidecar, connections int) {
	t.Helper()
	const others, each = 40, 40 // descriptors of its own; KiB of a connection
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	resident := statusKiB(t, s.PID(), "VmRSS")
	t.Logf("%s has %d descriptors and %.1f MiB of resident memory", s.Pod, len(open), mib(resident))
	if most := connections + others; len(open) > most {
		t.Errorf("%s has %d descriptors, want at most %d", s.Pod, len(open), most)
	}
	if most := maxIdleKiB + 8<<10 + connections*each; resident > most {
		t.Errorf("%s has %d KiB of resident memory, want at most %d", s.Pod, resident, most)
	}
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
