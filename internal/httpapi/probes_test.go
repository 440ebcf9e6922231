package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestProbes(t *testing.T) {
	clock := clocktest.NewHand()
	for _, c := range []struct {
		name, path string
		election   *stuck
		started    bool
		after      time.Duration
		want       int
		says       string
	}{
		{"alive", "/livez", &stuck{turns: true}, true, 0, 200, "ok"},
		{"alive though the Lease was never read", "/livez", &stuck{turns: true, unready: "unread"}, false, 0, 200, "ok"},
		{"stuck", "/livez", &stuck{}, true, 0, 503, "did not answer within 5s"},
		{"ready as a standby", "/readyz", &stuck{now: leadershiptest.Standby("web-x")}, true, 0, 200, "ok"},
		{"ready though nobody leads", "/readyz", &stuck{now: leadershiptest.Standby("")}, true, time.Hour, 200, "ok"},
		{"could not lead", "/readyz", &stuck{unready: "no right to update"}, true, 0, 503, "no right to update"},
		{"started", "/startupz", &stuck{}, true, 0, 200, "ok"},
		{"starting", "/startupz", &stuck{turns: true}, false, 0, 503, "the first state"},
		{"leading", "/leader", &stuck{now: leadershiptest.Leading(clock, "5")}, true, 0, 200, `"token":"5"`},
		{"its term over, its loop stuck", "/leader", &stuck{now: leadershiptest.Leading(clock, "5")}, true, 10 * time.Second, 503, `"isLeader":false`},
		{"metrics", "/metrics", &stuck{}, true, 0, 200, "leader_election_master_status"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // so that a stuck loop is waited for in no time
				probes := NewProbeHandler(ProbeConfig{
					Election: c.election, Clock: clock, Started: func() bool { return c.started },
					Metrics: metrics.New(metrics.Config{Lease: "acme", Clock: clock, Leadership: c.election.Leadership}),
				})
				clock.Advance(c.after)
				defer clock.Advance(-c.after)
				w := ask(t, probes, "GET", c.path)
				if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
					t.Errorf("GET %s: %d %s, want %d and %q", c.path, w.Code, w.Body, c.want, c.says)
				}
			})
		})
	}
}

func TestProbesTakeNoOrders(t *testing.T) {
	clock := clocktest.NewHand()
	probes := NewProbeHandler(ProbeConfig{
		Election: &stuck{now: leadershiptest.Leading(clock, "5")}, Clock: clock, Started: func() bool { return true },
		Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	})
	for _, path := range []string{"/step-down", "/leave", "/drained", "/quitquitquit", "/events", "/"} {
		w := ask(t, probes, "POST", path)
		if w.Code != 404 {
			t.Errorf("POST %s: %d, want 404", path, w.Code)
		}
		wantExplained(t, w, path, "no such path")
	}
	for _, path := range []string{"/leader", "/livez", "/metrics"} {
		w := ask(t, probes, "POST", path)
		if w.Code != 405 {
			t.Errorf("POST %s: %d, want 405", path, w.Code)
		}
		wantExplained(t, w, "POST "+path+": want GET, HEAD")
	}
}
