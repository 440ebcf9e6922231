//go:build linux

package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// ownCluster returns a cluster for one benchmark, whose cost is looked at; the short form has one for all.
func ownCluster(t *testing.T) *harness.Cluster {
	t.Helper()
	kube.RouteClientLogs(slog.New(slog.DiscardHandler)) // client-go's elector logs each failed attempt
	if testing.Short() {
		return harness.Shared(t)
	}
	return harness.Start(t)
}

// atOnce is how many requests of a preparation are under way at once, and how many candidates are about to read their Lease for the
// first time: a cluster does not start all pods in one instant.
const atOnce = 16

// tokens hands out accesses of ServiceAccounts, each with a token of its own in a file, as the kubelet mounts it.
type tokens struct {
	cluster *harness.Cluster
	dir     string
	given   atomic.Int64
}

func newTokens(t *testing.T, cluster *harness.Cluster) *tokens {
	t.Helper()
	return &tokens{cluster: cluster, dir: t.TempDir()}
}

func (k *tokens) access(ctx context.Context, namespace, account string) (*rest.Config, error) {
	token, err := k.cluster.Token(ctx, namespace, account)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(k.dir, strconv.FormatInt(k.given.Add(1), 10))
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: k.cluster.Host(), BearerTokenFile: file,
		TLSClientConfig: rest.TLSClientConfig{CAFile: k.cluster.PKI().CAFile()},
	}, nil
}

// each calls do for 0 to n-1, several at once.
func each(n int, do func(i int) error) error {
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i := range n {
		all.Go(func() error { return do(i) })
	}
	return all.Wait()
}

// gate lets atOnce candidates be about to be answered.
type gate chan struct{}

// enter waits for a place. The candidate leaves it at its first answer.
func (g gate) enter() (leave func()) {
	g <- struct{}{}
	return func() { <-g }
}

// numbers reads a list of numbers, separated by commas.
func numbers(t *testing.T, list string) (all []int) {
	t.Helper()
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("a list of numbers: %v", err)
		}
		all = append(all, n)
	}
	return all
}

// otherwise returns the flag's value, or the default of the form that runs where it was not given.
func otherwise[T comparable](given, full, short T) T {
	var none T
	switch {
	case given != none:
		return given
	case testing.Short():
		return short
	}
	return full
}

// inNamespace is how many workloads with an election share a namespace: RBAC looks at all RoleBindings of the namespace at each request.
const inNamespace = 20

// place is where an election takes place, and the accesses of its candidates.
type place struct {
	harness.Election

	accesses []*rest.Config
}

// provide makes elections, the first of them with that number, as a chart does: the Lease, free at once, the ServiceAccount with the
// documented Role, and a token for each replica. Elections of several calls share no namespace if they differ in prefix.
func (k *tokens) provide(ctx context.Context, prefix string, first, n int) ([]place, error) {
	for i := first / inNamespace; i*inNamespace < first+n; i++ {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", prefix, i)}}
		_, err := k.cluster.Admin.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("create a namespace: %w", err)
		}
	}
	places := make([]place, n)
	return places, each(n, func(j int) error {
		i := first + j
		return k.provideOne(ctx, fmt.Sprintf("%s-%d", prefix, i/inNamespace), fmt.Sprintf("web-%d", i), &places[j])
	})
}

func (k *tokens) provideOne(ctx context.Context, namespace, workload string, p *place) error {
	p.Cluster, p.Namespace, p.Prefix, p.Workload = k.cluster, namespace, "acme", "deployment/"+workload
	name, err := naming.NewLeaseName(p.Prefix, naming.Workload{Kind: "deployment", Name: workload})
	if err != nil {
		return err
	}
	p.Lease = string(name)
	if err := k.cluster.Allow(ctx, namespace, workload, harness.DocumentedRules(p.Lease)...); err != nil {
		return err
	}
	for range replicas {
		access, err := k.access(ctx, namespace, workload)
		if err != nil {
			return err
		}
		p.accesses = append(p.accesses, access)
	}
	return p.CreateFree(ctx)
}
