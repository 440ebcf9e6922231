//go:build linux

package integration

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestNotReadyWithoutAWay starts replicas that could never lead, for want of a right or of the Lease: they are not ready, and
// /readyz says why, until somebody has fixed it. An outage of the API server does not take readiness back.
func TestNotReadyWithoutAWay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		begin func(t *testing.T, e *harness.Election) // before the start
		words []string                                // of the reason
		fix   func(t *testing.T, e *harness.Election)
	}{
		{
			name: "no right to update",
			begin: func(t *testing.T, e *harness.Election) {
				e.ShipFree(t)
				e.Access.SetRules(t, onlyVerbs("get", "watch")(e.Lease)...)
			},
			words: []string{"update"},
			fix:   func(t *testing.T, e *harness.Election) { e.Access.SetRules(t, harness.DocumentedRules(e.Lease)...) },
		},
		{
			name:  "no right to read",
			begin: func(t *testing.T, e *harness.Election) { e.ShipFree(t); e.Access.SetRules(t) },
			words: []string{"get"},
			fix:   func(t *testing.T, e *harness.Election) { e.Access.SetRules(t, harness.DocumentedRules(e.Lease)...) },
		},
		{
			name:  "no Lease, no right to create",
			begin: func(*testing.T, *harness.Election) {},
			words: []string{"create"},
			fix:   func(t *testing.T, e *harness.Election) { e.Ship(t) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
			tc.begin(t, e)
			line := e.Cluster.Proxy(t)
			s := e.Prepare(t, "web-0")
			s.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
			s.Start(t, e)
			harness.Eventually(t, 2*e.Duration+slack, "/readyz says what is missing", func() bool {
				status, body := readyz(t, s)
				for _, word := range tc.words {
					if !strings.Contains(body, word) {
						return false
					}
				}
				return status == http.StatusServiceUnavailable
			})
			_, body := readyz(t, s)
			t.Logf("/readyz: %s", strings.TrimSpace(body))
			harness.Throughout(t, 2*e.Duration, "it is not ready, started, and does not lead", func() bool {
				status, _ := readyz(t, s)
				told, _ := s.Told()
				return status == http.StatusServiceUnavailable && s.ProbeStatus("/startupz") == http.StatusOK && !told
			})
			tc.fix(t, e)
			harness.Eventually(t, time.Minute+slack, "it is ready once that is fixed", func() bool {
				return s.ProbeStatus("/readyz") == http.StatusOK
			})
			harness.AwaitLeader(t, time.Minute+slack, s)

			line.Cut()
			harness.Throughout(t, 2*e.Duration, "an outage does not take readiness back", func() bool {
				return s.ProbeStatus("/readyz") == http.StatusOK
			})
		})
	}
}

// readyz returns the status and the body of GET /readyz; 0 and "" where there is no answer.
func readyz(t *testing.T, s *harness.Sidecar) (int, string) {
	t.Helper()
	res, err := http.Get("http://" + s.Probe + "/readyz")
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(body)
}
