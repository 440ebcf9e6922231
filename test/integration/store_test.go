//go:build linux

package integration

import (
	"log/slog"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcoordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/util/retry"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestKubeStoreConformance runs the suite that every store passes on the real API server.
func TestKubeStoreConformance(t *testing.T) {
	t.Parallel()
	cluster := harness.Shared(t)
	namespace := cluster.Namespace(t, nil)
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		return storetest.Fixture{
			Name: freshName(t, cluster, namespace),
			Open: func(t *testing.T, name string) lease.Store {
				store, err := kube.New(kube.Config{
					REST: cluster.AdminConfig(), Namespace: namespace, Name: name, Log: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				return store
			},
			Admin:                kubeAdmin{cluster.Admin.CoordinationV1().Leases(namespace)},
			History:              true,
			DropsPreferredHolder: true,
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
	leases typedcoordination.LeaseInterface
}

func (a kubeAdmin) Read(t *testing.T, name string) *coordinationv1.Lease {
	t.Helper()
	l, err := a.leases.Get(t.Context(), name, metav1.GetOptions{})
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
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		l := a.Read(t, name)
		edit(l)
		_, err := a.leases.Update(t.Context(), l, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (a kubeAdmin) Delete(t *testing.T, name string) {
	t.Helper()
	if err := a.leases.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
