//go:build linux

package integration

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Exit statuses that users rely on.
const (
	exitConfiguration = 2
	exitCollision     = 3
)

// TestConfigurationFaults starts sidecars that cannot do what their flags ask: each ends at once, names the fault,
// and leaves nothing in the signal directory.
func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	for _, tc := range []struct {
		name string
		args []string // after the documented ones: the last one counts
		pod  string
		drop string // a flag that is left out
		want []string
	}{
		{name: "unknown store", args: []string{"--store", "zookeeper"}, want: []string{"--store", "zookeeper"}},
		{
			name: "renew deadline not below the lease duration",
			args: []string{"--lease-duration", "15s", "--renew-deadline", "15s"}, want: []string{"--renew-deadline"},
		},
		{name: "a fraction of a second", args: []string{"--lease-duration", "1.5s"}, want: []string{"--lease-duration"}},
		{name: "bad prefix", args: []string{"--prefix", "Acme_1"}, want: []string{"--prefix", "Acme_1"}},
		{
			name: "truncated pod name", pod: strings.Repeat("a", 47) + "-5d9f8b7c6d-x2x4z", drop: "--workload",
			want: []string{"--workload"},
		},
		{name: "a signal directory that is not there", args: []string{"--signal-dir", "/missing"}, want: []string{"--signal-dir", "/missing"}},
		{name: "a workload that cannot be derived", drop: "--workload", want: []string{"--workload"}},
		{
			name: "several at once", args: []string{"--prefix", "Acme_1", "--lease-duration", "1.5s", "--store", "zookeeper"},
			want: []string{"--prefix", "--lease-duration", "--store"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := e.Prepare(t, "web-0")
			if tc.pod != "" {
				s.Pod = tc.pod
			}
			s.Args = append(without(s.Args, tc.drop), tc.args...)
			s.Start(t, e)
			s.AwaitExit(t, slack, exitConfiguration)
			for _, want := range tc.want {
				if !strings.Contains(s.Log(), want) {
					t.Errorf("the message does not name %q:\n%s", want, s.Log())
				}
			}
			checkUntouched(t, s.Dir)
		})
	}
	if holder := e.Holder(t); holder != "" {
		t.Errorf("the Lease is held by %q", holder)
	}
}

// without returns the arguments without a flag and its value.
func without(args []string, flag string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		if args[i] == flag {
			i++
			continue
		}
		kept = append(kept, args[i])
	}
	return kept
}

func checkUntouched(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("the signal directory has %s, want nothing in it", entry.Name())
	}
}

// TestCollision refuses a Lease that is annotated for another workload, and changes nothing on it.
func TestCollision(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Create(t, func(l *coordinationv1.Lease) { l.Annotations[naming.AnnotationWorkload] = "deployment/other" })
	before := e.Read(t)
	s := e.Start(t, "web-0")
	s.AwaitExit(t, slack, exitCollision)
	if s.HasLeaderFile() {
		t.Error("there is a leader file")
	}
	if log := s.Log(); !strings.Contains(log, "deployment/other") || !strings.Contains(log, e.Workload) {
		t.Errorf("the message does not name both workloads:\n%s", log)
	}
	if diff := cmp.Diff(before, e.Read(t)); diff != "" {
		t.Errorf("the other workload's Lease (-before +after):\n%s", diff)
	}
}

// TestCollisionInMidTerm annotates the Lease for another workload under a leader: it stops, leaves the annotation
// alone and says why.
func TestCollisionInMidTerm(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Ship(t)
	replicas := e.StartAll(t, 2)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	e.Edit(t, func(l *coordinationv1.Lease) { l.Annotations[naming.AnnotationWorkload] = "deployment/other" })
	for _, s := range replicas {
		s.AwaitExit(t, slack, exitCollision)
		if s.HasLeaderFile() {
			t.Errorf("%s has a leader file", s.Pod)
		}
	}
	if log := leader.Log(); !strings.Contains(log, "deployment/other") {
		t.Errorf("the message does not name the other workload:\n%s", leader.Tail(5))
	}
	if got := e.Read(t).Annotations[naming.AnnotationWorkload]; got != "deployment/other" {
		t.Errorf("the annotation is now %q", got)
	}
}

// TestLeaseWithoutAnnotationIsAdopted writes the annotation with the first PUT.
func TestLeaseWithoutAnnotationIsAdopted(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Create(t, func(l *coordinationv1.Lease) {
		l.Annotations, l.Labels = map[string]string{"example.com/kept": "yes"}, nil
	})
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	l := e.Read(t)
	for key, want := range map[string]string{naming.AnnotationWorkload: e.Workload, "example.com/kept": "yes"} {
		if got := l.Annotations[key]; got != want {
			t.Errorf("annotation %s is %q, want %q", key, got, want)
		}
	}
	if got := l.Labels[naming.LabelElection]; got != "true" {
		t.Errorf("label %s is %q, want true", naming.LabelElection, got)
	}
}

// TestUnreachableAPI starts a sidecar before there is an API server to reach: it waits, and campaigns once there is.
func TestUnreachableAPI(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), mixedDuration)
	e.Ship(t)
	s, line := prepareBehind(t, e, "web-0")
	line.Cut()
	s.Start(t, e)
	harness.Eventually(t, slack, "started, not ready", func() bool {
		return s.ProbeStatus("/startupz") == http.StatusOK && s.ProbeStatus("/readyz") == http.StatusServiceUnavailable
	})
	harness.Eventually(t, slack, "a warning", func() bool { return len(linesWith(s)) > 0 })
	harness.Throughout(t, 5*time.Second, "it runs on, started, not ready", func() bool {
		status, _ := s.Leader()
		return s.Alive() && status == http.StatusServiceUnavailable &&
			s.ProbeStatus("/startupz") == http.StatusOK && s.ProbeStatus("/readyz") == http.StatusServiceUnavailable
	})
	if said := linesWith(s); len(said) > 3 {
		t.Errorf("%d warnings of one fault, want one and its changes:\n%s", len(said), strings.Join(said, ""))
	}
	line.Heal()
	harness.AwaitLeader(t, e.Duration+slack, s)
	if status := s.ProbeStatus("/readyz"); status != http.StatusOK {
		t.Errorf("GET /readyz on the leader: %d, want %d", status, http.StatusOK)
	}
}
