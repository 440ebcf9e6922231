//go:build linux

package integration

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

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
	witness := harness.Watch(t, replicas...)
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
	witness.Verdict(t)
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
