//go:build linux

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestFirstElection starts candidates on a Lease that nobody released, in whatever state it is: it costs one lease
// duration, and the log says why.
func TestFirstElection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		setUp func(t *testing.T, e *harness.Election)
		want  time.Duration // from the start to the take, at least
		log   string        // a part of the reason
	}{
		{
			name: "absent",
			setUp: func(t *testing.T, e *harness.Election) {
				e.Access.SetRules(t, append(harness.DocumentedRules(e.Lease), harness.CreateRule())...)
			},
			want: mixedDuration, log: "does not exist",
		},
		{
			name:  "empty",
			setUp: func(t *testing.T, e *harness.Election) { e.Ship(t) },
			want:  mixedDuration, log: "nobody",
		},
		{
			name: "a long duration by hand",
			setUp: func(t *testing.T, e *harness.Election) {
				e.Create(t, func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(7)) })
			},
			want: 7 * time.Second, log: "nobody",
		},
		{
			name: "a foreign holder",
			setUp: func(t *testing.T, e *harness.Election) {
				e.Create(t, func(l *coordinationv1.Lease) {
					l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = new("somebody"), new(int32(3))
				})
			},
			want: mixedDuration + mixedGrace, log: "does not follow this protocol",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), mixedDuration)
			e.Flags = []string{"--foreign-grace", mixedGrace.String()}
			tc.setUp(t, e)
			started := now()
			replicas := e.StartAll(t, 2)
			watch(t, replicas...)
			leader := harness.AwaitLeader(t, tc.want+slack, replicas...)
			if waited := sent(e, leader).Sub(started); waited < tc.want {
				t.Errorf("the Lease was taken after %v, want at least %v", waited, tc.want)
			}
			checkLogSays(t, tc.log, replicas...) // a leader that was slow to start found the Lease made by the other
		})
	}
}

// checkLogSays checks that a line of one of the logs has the text in its message or attributes, debug lines left out.
func checkLogSays(t *testing.T, text string, replicas ...*harness.Sidecar) {
	t.Helper()
	for _, s := range replicas {
		if len(linesOf(s, []string{"INFO", "WARN", "ERROR"}, text)) > 0 {
			return
		}
	}
	t.Errorf("no line of %d logs says %q", len(replicas), text)
}

// mischief is what somebody does to the Lease of a running election.
type mischief struct {
	name string
	act  func(t *testing.T, e *harness.Election)
	// rights are more than the documented ones. Without that to create, only who took the Lease away can bring it back.
	rights []rbacv1.PolicyRule
	// log is a part of the reason that the next leader gives for its wait; "" where it need not wait.
	log string
	// leadsOn says that the Lease names the leader again, which then knows its own term and may go on with it.
	leadsOn bool
}

// TestLeaseTakenAwayUnderALeader lets an administrator do to the Lease what administrators do, with a leader that
// sees it and with one that is cut off from the API server: no second leader before the first one's time is over,
// and one leader again in the end.
func TestLeaseTakenAwayUnderALeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []mischief{
		{
			name: "deleted", rights: []rbacv1.PolicyRule{harness.CreateRule()}, log: "does not exist",
			act: func(t *testing.T, e *harness.Election) { e.Delete(t) },
		},
		{name: "deleted and applied again", log: "nobody released", act: func(t *testing.T, e *harness.Election) {
			e.Delete(t)
			e.Ship(t)
		}},
		{name: "replaced by an old copy", leadsOn: true, act: func(t *testing.T, e *harness.Election) {
			old := e.Read(t)
			e.Delete(t)
			e.Create(t, func(l *coordinationv1.Lease) {
				l.Labels, l.Annotations, l.Spec = old.Labels, old.Annotations, old.Spec
			})
		}},
		{name: "blanked by hand", log: "cleared", act: func(t *testing.T, e *harness.Election) {
			e.Edit(t, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil })
		}},
		{name: "emptied by hand", log: "nobody released", act: func(t *testing.T, e *harness.Election) {
			e.Edit(t, func(l *coordinationv1.Lease) { l.Spec, l.Annotations = coordinationv1.LeaseSpec{}, nil })
		}},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cut off: %v", tc.name, cut), func(t *testing.T) {
				t.Parallel()
				takeAway(t, cut, tc)
			})
		}
	}
}

func takeAway(t *testing.T, cut bool, m mischief) {
	e := harness.NewElection(t, harness.Shared(t), 4*time.Second, m.rights...)
	e.Ship(t)
	leader, line := prepareBehind(t, e, "web-0")
	replicas := []*harness.Sidecar{leader, startWithHeir(t, e, leader)}
	_, before := leader.Leads()

	if cut {
		line.Cut()
	}
	acted := now()
	m.act(t, e)
	if !cut {
		harness.Eventually(t, slack, "the leader stops or has a new term", func() bool {
			leads, token := leader.Leads()
			return !leads || token != before
		})
	}
	next, taken := nextTerm(t, e, before, replicas)
	if waited := taken.Sub(acted); waited < e.Duration && (next != leader || !m.leadsOn) {
		t.Errorf("%s took the Lease %v after the act, want at least the lease duration %v", next.Pod, waited, e.Duration)
	}
	if m.log != "" {
		checkLogSays(t, m.log, next)
	}
	line.Heal()
	awaitAgreement(t, 2*e.Duration+slack, replicas)
}

// nextTerm waits for a term with another token and returns whose it is and when the write was sent that made it.
func nextTerm(t *testing.T, e *harness.Election, before string, replicas []*harness.Sidecar) (next *harness.Sidecar, taken bootclock.Instant) {
	t.Helper()
	harness.Eventually(t, slack+slack, "somebody leads with a new token", func() bool {
		for _, s := range replicas {
			if leads, token := s.Leads(); leads && token != before {
				next, taken = s, sent(e, s)
				return true
			}
		}
		return false
	})
	return next, taken
}

// TestShippedLeaseDeleted shows what happens without the right to create: the leader stops, nobody leads, and the
// election goes on once the Lease is back.
func TestShippedLeaseDeleted(t *testing.T) {
	t.Parallel()
	e, replicas, leader := elect(t, harness.Shared(t), mixedDuration, 2)
	e.Delete(t)
	harness.Eventually(t, slack, "the leader stops", func() bool { leads, _ := leader.Leads(); return !leads })
	harness.Throughout(t, 2*e.Duration, "nobody leads without the Lease", leaderlessly(replicas))
	back := now()
	e.Ship(t)
	heir := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	if waited := sent(e, heir).Sub(back); waited < e.Duration {
		t.Errorf("the new Lease was taken after %v, want at least %v", waited, e.Duration)
	}
}

// TestForeignContentOfTheLease runs an election on a Lease that bears what others put there, on an API server that has
// strategy and preferredHolder (fault 13): takes, renewals and releases keep all of it, and a wish for another holder is a
// handover, whether or not the wished one is there.
func TestForeignContentOfTheLease(t *testing.T) {
	t.Parallel()
	cluster := harness.Start(t, "--feature-gates=CoordinatedLeaderElection=true", "--runtime-config=coordination.k8s.io/v1beta1=true")
	e := harness.NewElection(t, cluster, 12*time.Second)
	e.Flags = []string{"--drain-timeout", "1ms"}
	e.Create(t, func(l *coordinationv1.Lease) {
		l.Labels["example.com/team"] = "payments"
		l.Annotations["example.com/note"] = "do not touch"
		l.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "4d1f"}}
		l.Finalizers = []string{"example.com/keep"}
		l.Spec.Strategy = new(coordinationv1.OldestEmulationVersion)
	})
	want := foreignContent(e.Read(t))
	if want.strategy == "" {
		t.Fatal("the API server dropped the strategy: nothing is shown")
	}
	replicas := e.StartAll(t, 2)
	watch(t, replicas...)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	chronicle := recordHistory(t, e)
	awaitRenewal(t, leader)
	heir := harness.Others(replicas, leader)[0]

	for _, wish := range []string{heir.State().Identity, "somebody-who-is-not-there"} {
		t.Log("the Lease asks for " + wish)
		leader, heir = harness.AwaitLeader(t, slack, leader), harness.Others(replicas, leader)[0]
		asked := now()
		e.Edit(t, func(l *coordinationv1.Lease) { l.Spec.PreferredHolder = &wish })
		harness.AwaitLeader(t, slack, heir)
		// Who has released rests for 5 s, and a wished one has a second to come first.
		if waited := sent(e, heir).Sub(asked); waited >= e.Duration {
			t.Errorf("%s leads %v after the wish, want long before the Lease could have expired", heir.Pod, waited)
		}
		if wish := e.Read(t).Spec.PreferredHolder; wish != nil {
			t.Errorf("the Lease still asks for %q, want the wish answered", *wish)
		}
		leader, heir = heir, leader
	}
	awaitRenewal(t, leader)
	leader.Terminate(t)
	harness.AwaitLeader(t, slack, heir)

	chronicle.mu.Lock()
	defer chronicle.mu.Unlock()
	if len(chronicle.versions) < 10 {
		t.Errorf("%d versions of the Lease were seen, want takes, renewals and releases", len(chronicle.versions))
	}
	for _, l := range chronicle.versions {
		if diff := cmp.Diff(want, foreignContent(l), cmp.AllowUnexported(content{})); diff != "" {
			t.Errorf("version %s, held by %q, has lost something (-want +got):\n%s", l.ResourceVersion, *l.Spec.HolderIdentity, diff)
		}
	}
}

// content is all of a Lease that is not the election's own.
type content struct {
	labels, annotations map[string]string
	owners              []metav1.OwnerReference
	finalizers          []string
	strategy            coordinationv1.CoordinatedLeaseStrategy
}

func foreignContent(l *coordinationv1.Lease) content {
	l = l.DeepCopy()
	delete(l.Labels, naming.LabelElection)
	delete(l.Annotations, naming.AnnotationFencedBy)
	delete(l.Annotations, naming.AnnotationWorkload)
	c := content{labels: l.Labels, annotations: l.Annotations, owners: l.OwnerReferences, finalizers: l.Finalizers}
	if l.Spec.Strategy != nil {
		c.strategy = *l.Spec.Strategy
	}
	return c
}
