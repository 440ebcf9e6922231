//go:build linux

package integration

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestRightsLostInMidTerm takes the Role's rules away under a leader: it stops by its validUntil, says what is
// missing, and the election goes on once they are back.
func TestRightsLostInMidTerm(t *testing.T) {
	t.Parallel()
	e, replicas, leader := elect(t, harness.Shared(t), 5*time.Second, 2)
	e.Access.SetRules(t)
	checkLossByDeadline(t, leader, now().Add(2*e.Duration))
	for _, s := range replicas {
		if leads, _ := s.Leads(); leads {
			t.Errorf("%s leads without any rights", s.Pod)
		}
		harness.Eventually(t, slack, s.Pod+" is not ready: it could not lead", func() bool {
			return s.ProbeStatus("/readyz") == http.StatusServiceUnavailable
		})
	}
	if len(linesWith(leader, "update", e.Lease, "role")) == 0 {
		t.Error("the leader's log does not name the verb, the Lease and the Role")
	}
	e.Access.SetRules(t, harness.DocumentedRules(e.Lease)...)
	harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
}

// TestTokenRotation makes the leader's token invalid and puts a new one into its file: the term goes on.
func TestTokenRotation(t *testing.T) {
	t.Parallel()
	e, s := leadAlone(t, 15*time.Second)
	_, token := s.Leads()
	began := time.Now()
	e.Access.Rotate(t)
	// The API server believes in a token for some 10 s after it has become invalid; a term lasts 10 s more.
	harness.Throughout(t, 25*time.Second, "the same leader over the rotation", func() bool {
		leads, same := s.Leads()
		return leads && same == token
	})
	refused := e.Cluster.Audit.Requests(t, began, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Code == http.StatusUnauthorized
	})
	t.Logf("%d requests with the old token were refused", len(refused))
}

// TestMissingRights leaves out one verb at a time, which is create where no Lease is shipped. The sidecar keeps trying, says in its
// log and, where it could not lead, at /readyz what is missing, and leads as soon as somebody has fixed it. An outage of the API
// server does not take readiness back.
func TestMissingRights(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		verb  string
		rules func(lease string) []rbacv1.PolicyRule
		ready int  // the probe's answer once the fault shows
		leads bool // it can lead all the same
	}{
		{verb: "get", rules: func(string) []rbacv1.PolicyRule { return nil }, ready: http.StatusServiceUnavailable},
		{verb: "watch", rules: onlyVerbs("get", "update"), ready: http.StatusOK, leads: true},
		{verb: "update", rules: onlyVerbs("get", "watch"), ready: http.StatusServiceUnavailable},
		{verb: "create", rules: harness.DocumentedRules, ready: http.StatusServiceUnavailable},
	} {
		t.Run(tc.verb, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), mixedDuration)
			absent := tc.verb == "create"
			if !absent {
				e.Ship(t)
			}
			e.Access.SetRules(t, tc.rules(e.Lease)...)
			s, line := prepareBehind(t, e, "web-0")
			s.Start(t, e)
			ready := func() bool {
				status, reason := s.AskProbe("/readyz")
				return status == tc.ready && (tc.leads || strings.Contains(reason, tc.verb))
			}
			harness.Eventually(t, 2*e.Duration+slack, "the log names the verb, the Lease and the fix, and the probe shows it", func() bool {
				return len(linesWith(s, tc.verb, e.Lease, "role")) > 0 && ready()
			})
			harness.Throughout(t, 2*e.Duration, "it runs on, started, ready or not, and leads only where it can", func() bool {
				leads, _ := s.Leads()
				return s.Alive() && (tc.leads || !leads) && s.ProbeStatus("/startupz") == http.StatusOK && ready()
			})
			want := 1 // that a request has failed, or the watch
			if !tc.leads {
				want++ // and that this replica cannot lead
			}
			if said := linesWith(s, tc.verb, e.Lease, "role"); len(said) != want {
				t.Errorf("said %d times, want %d times:\n%s", len(said), want, strings.Join(said, ""))
			}
			if absent {
				e.Ship(t)
			} else {
				e.Access.SetRules(t, harness.DocumentedRules(e.Lease)...)
			}
			harness.AwaitLeader(t, time.Minute+slack, s)
			if status := s.ProbeStatus("/readyz"); status != http.StatusOK {
				t.Errorf("GET /readyz on the leader: %d, want %d", status, http.StatusOK)
			}
			line.Cut()
			harness.Throughout(t, 2*e.Duration, "an outage does not take readiness back", func() bool {
				return s.ProbeStatus("/readyz") == http.StatusOK
			})
		})
	}
}

func onlyVerbs(verbs ...string) func(string) []rbacv1.PolicyRule {
	return func(lease string) []rbacv1.PolicyRule {
		rules := harness.DocumentedRules(lease)
		rules[0].Verbs = verbs
		return rules
	}
}

// linesWith returns the log's warnings and errors that have all the texts, in whichever case.
func linesWith(s *harness.Sidecar, texts ...string) []string {
	return linesOf(s, []string{"WARN", "ERROR"}, texts...)
}

// linesOf returns the log's lines of those severities that have all the texts, in whichever case.
func linesOf(s *harness.Sidecar, severities []string, texts ...string) []string {
	var found []string
	for line := range strings.Lines(s.Log()) {
		var entry struct {
			Severity string `json:"level"`
		}
		lacks := func(text string) bool { return !strings.Contains(strings.ToLower(line), strings.ToLower(text)) }
		if json.Unmarshal([]byte(line), &entry) == nil && slices.Contains(severities, entry.Severity) && !slices.ContainsFunc(texts, lacks) {
			found = append(found, line)
		}
	}
	return found
}
