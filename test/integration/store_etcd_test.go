//go:build linux

package integration

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestEtcdCrashes kills etcd beneath the API server (fault 10): for a moment, which a leader bridges, and for longer than
// its term, which it does not outlive.
func TestEtcdCrashes(t *testing.T) {
	t.Parallel()
	cluster := harness.Start(t)
	e, replicas, leader := elect(t, cluster, 9*time.Second, 3)

	t.Log("etcd crashes and comes back")
	leader = checkBridged(t, e, replicas, leader, func() {
		cluster.KillEtcd(t)
		cluster.RestartEtcd(t)
	})

	t.Log("etcd is away for longer than a term")
	awaitRenewal(t, leader)
	cluster.KillEtcd(t)
	checkLossByDeadline(t, leader, now().Add(e.Duration))
	cluster.RestartEtcd(t)
	awaitAgreement(t, 2*e.Duration+slack, replicas)
}

// TestEtcdRestored puts etcd back to a snapshot under running replicas (fault 10), so that versions that stood for one
// state come again and stand for another. All say so, and nobody leads, however the restored Lease looks, until it has
// a version above all those seen. An operator does what the log says, raises the store's numbering and writes the Lease
// once; the next term then has a greater token than any before.
func TestEtcdRestored(t *testing.T) {
	t.Parallel()
	cluster := harness.Start(t)
	e, replicas, _ := elect(t, cluster, 3*time.Second, 3)
	snapshot := cluster.Snapshot(t)
	first := harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
	for range 3 {
		awaitRenewal(t, first)
	}
	first.Stop(0) // the snapshot names a leader that is not there any more
	others := harness.Others(replicas, first)
	leader := harness.AwaitLeader(t, 2*e.Duration+slack, others...)
	awaitRenewal(t, leader)
	seen := e.Read(t).ResourceVersion

	cluster.Restore(t, snapshot)
	for _, s := range others {
		harness.Eventually(t, slack, s.Pod+" says that the store was restored, and what to do", func() bool {
			return strings.Contains(s.Log(), "the store went back in time") && strings.Contains(s.Log(), "kubectl annotate")
		})
	}
	harness.Throughout(t, 3*e.Duration, "nobody leads on a restored store", leaderlessly(others))
	if restored := e.Read(t).ResourceVersion; !greater(seen, restored) {
		t.Fatalf("the restored Lease has version %s, want one below %s: nothing was shown", restored, seen)
	}

	t.Log("the store's numbering passes what was seen")
	raiseNumbering(t, e, seen)
	harness.Throughout(t, 2*e.Duration, "nobody leads on a Lease that nobody has written since", leaderlessly(others))
	written := now()
	e.Edit(t, func(l *coordinationv1.Lease) { l.Annotations["example.com/restored"] = "yes" })
	leader = harness.AwaitLeader(t, 2*e.Duration+slack, others...)
	if waited := sent(e, leader).Sub(written); waited < e.Duration {
		t.Errorf("the Lease was taken %v after it was written, want at least %v", waited, e.Duration)
	}
	first.Start(t, e) // it saw nothing of all this
	awaitAgreement(t, slack, replicas)
}

// raiseNumbering writes other objects until the store's versions are above the given one, as a busy cluster does in
// time, and "etcdutl snapshot restore --bump-revision" at once.
func raiseNumbering(t *testing.T, e *harness.Election, above string) {
	t.Helper()
	filler := e.Cluster.Admin.CoreV1().ConfigMaps(e.Namespace)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("filler-%d", now())}}
	object, err := filler.Create(t.Context(), object, metav1.CreateOptions{})
	for n := 0; err == nil && !greater(object.ResourceVersion, above); n++ {
		object.Data = map[string]string{"n": strconv.Itoa(n)}
		object, err = filler.Update(t.Context(), object, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatalf("write objects: %v", err)
	}
}

// TestKubeStoreConformance runs the suite that every store passes on the real API server.
func TestKubeStoreConformance(t *testing.T) {
	t.Parallel()
	cluster := harness.Shared(t)
	namespace := cluster.Namespace(t, nil)
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		return storetest.Fixture{
			Name: freshName(t, cluster, namespace),
			Open: func(t *testing.T, name string) lease.Store {
				client, err := kube.NewClient(cluster.AdminConfig(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				return client.Lease(namespace, name)
			},
			Admin:                kubeAdmin{cluster, namespace},
			History:              true,
			DropsPreferredHolder: true,
		}
	})
}

// TestKubeMembersConformance runs the suite of members on the real API server.
func TestKubeMembersConformance(t *testing.T) {
	t.Parallel()
	cluster := harness.Shared(t)
	namespace := cluster.Namespace(t, nil)
	storetest.RunMembers(t, func(t *testing.T) storetest.MembersFixture {
		return storetest.MembersFixture{
			Election: freshName(t, cluster, namespace),
			Open: func(t *testing.T, election string) lease.Members {
				client, err := kube.NewClient(cluster.AdminConfig(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				return client.Members(namespace, election)
			},
			Admin:   kubeAdmin{cluster, namespace},
			History: true,
			Page:    250,
		}
	})
}

// freshName lets the API server pick a name that no other case has.
func freshName(t *testing.T, c *harness.Cluster, namespace string) string {
	t.Helper()
	leases := c.Admin.CoordinationV1().Leases(namespace)
	l, err := leases.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{GenerateName: "case-"}}, metav1.CreateOptions{})
	if err == nil {
		err = leases.Delete(t.Context(), l.Name, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l.Name
}

// kubeAdmin does by hand what an administrator does with kubectl.
type kubeAdmin struct {
	cluster   *harness.Cluster
	namespace string
}

func (a kubeAdmin) of(name string) *harness.Election {
	return &harness.Election{Cluster: a.cluster, Namespace: a.namespace, Lease: name}
}

func (a kubeAdmin) Read(t *testing.T, name string) *coordinationv1.Lease {
	t.Helper()
	l, err := a.cluster.Admin.CoordinationV1().Leases(a.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (a kubeAdmin) Edit(t *testing.T, name string, edit func(*coordinationv1.Lease)) {
	t.Helper()
	a.of(name).Edit(t, edit)
}

func (a kubeAdmin) Delete(t *testing.T, name string) {
	t.Helper()
	a.of(name).Delete(t)
}
