//go:build linux

package integration

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestEventsOnTheLease shows both Events of a term in client-go's form, found as kubectl describe finds them. A restart in
// mid-term, which leads on with a new token, records nothing.
func TestEventsOnTheLease(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second, eventRule())
	e.Flags = []string{"--events"}
	e.Ship(t)
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	identity := s.State().Identity
	// A term that ends before its Event is sent leaves none.
	harness.Eventually(t, slack, "the beginning is recorded", func() bool {
		list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 1
	})
	_, before := s.Leads()
	s.Stop(0)
	s.Start(t, e)
	harness.Eventually(t, slack, "it leads on with a new token", func() bool {
		leads, after := s.Leads()
		return leads && greater(after, before)
	})
	awaitRenewal(t, s) // an Event would be recorded by then
	s.Terminate(t)

	lease := e.Read(t)
	list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Lease,involvedObject.name=" + e.Lease + ",involvedObject.uid=" + string(lease.UID),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, event := range list.Items {
		got = append(got, event.Type+" "+event.Reason+" "+event.InvolvedObject.APIVersion+" "+event.Message+" by "+event.Source.Component)
		if age := time.Since(event.FirstTimestamp.Time); age < 0 || age > time.Minute || event.Count != 1 {
			t.Errorf("event %q: first seen %v ago, %d times", event.Message, age, event.Count)
		}
	}
	want := []string{
		"Normal LeaderElection coordination.k8s.io/v1 " + identity + " became leader by lease-sidecar",
		"Normal LeaderElection coordination.k8s.io/v1 " + identity + " stopped leading by lease-sidecar",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	out, _ := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "describe", "lease", e.Lease)
	if !strings.Contains(out, identity+" became leader") {
		t.Errorf("kubectl describe lease does not show the Event:\n%s", out)
	}
}

// TestEventsWithoutRights shows that Events are best effort: a refusal is said once and changes nothing.
func TestEventsWithoutRights(t *testing.T) {
	t.Parallel()
	_, s := leadAlone(t, 3*time.Second, "--events")
	const want = "event given up"
	harness.Eventually(t, slack, "the log says so", func() bool { return strings.Contains(s.Log(), want) })
	s.Terminate(t)
	if got := strings.Count(s.Log(), want); got != 2 {
		t.Errorf("the log says %q %d times, want once for each end of the term:\n%s", want, got, s.Tail(20))
	}
}

// TestEventsWhoseAnswerIsLost has the API server record each Event, and lose the answer: a term has its Event once, and none is
// given up. A term that ends before its Event is tried again has its end recorded all the same.
func TestEventsWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		lost func(attempt int) bool // which attempts at an Event have no answer
	}{
		{"the first", func(attempt int) bool { return attempt == 1 }},
		{"all of the beginning", func(int) bool { return true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 3*time.Second, eventRule())
			e.Flags = []string{"--events"}
			e.Ship(t)
			storm := e.Cluster.Storm(t)
			var attempts atomic.Int32
			storm.Faults(func(r *http.Request) harness.Fate {
				if !strings.HasSuffix(r.URL.Path, "/events") || !tc.lost(int(attempts.Add(1))) {
					return harness.Fate{}
				}
				return harness.Fate{Status: http.StatusServiceUnavailable, Applied: true}
			})
			s := e.Prepare(t, "web-0")
			s.Kubeconfig = e.Access.Kubeconfig(t, storm.Host())
			s.Start(t, e)
			harness.AwaitLeader(t, e.Duration+slack, s)
			harness.Eventually(t, slack, "the beginning is tried again", func() bool { return attempts.Load() >= 2 })
			storm.Faults(nil)
			s.Terminate(t)

			list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, event := range list.Items {
				_, what, _ := strings.Cut(event.Message, " ")
				got = append(got, what)
			}
			slices.Sort(got)
			if diff := cmp.Diff([]string{"became leader", "stopped leading"}, got); diff != "" {
				t.Errorf("Events (-want +got):\n%s", diff)
			}
			if strings.Contains(s.Log(), "event given up") {
				t.Errorf("an Event that was recorded is given up:\n%s", s.Tail(20))
			}
		})
	}
}
