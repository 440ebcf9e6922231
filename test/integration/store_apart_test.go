//go:build linux

package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestLeasesApart has an API server that keeps Leases in an etcd of their own, and the priority level of examples/manifests/flow-schema.yaml:
// both are what docs/explanation/scale.md offers for many elections. Replicas elect as ever, their Lease is in the second etcd alone, and
// their requests, and nobody else's, are dispatched by it.
func TestLeasesApart(t *testing.T) {
	t.Parallel()
	second := startEtcd(t)
	cluster := harness.Start(t, "--etcd-servers-overrides=coordination.k8s.io/leases#"+second)
	path := filepath.Join(harness.ModuleRoot(t), "examples", "manifests", "flow-schema.yaml")
	if out, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", cluster.AdminKubeconfig(t), "apply", "-f", path); code != 0 {
		t.Fatalf("kubectl apply: status %d\n%s", code, out)
	}
	schema, err := cluster.Admin.FlowcontrolV1().FlowSchemas().Get(t.Context(), "lease-sidecar", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	e, replicas, leader := elect(t, cluster, 3*time.Second, 2, promised...)
	if n := keys(t, second, "/registry/leases/"+e.Namespace+"/"); n != 1 {
		t.Errorf("the etcd for Leases has %d of the election's namespace, want 1", n)
	}
	if n := keys(t, cluster.EtcdURL(), "/registry/leases/"); n != 0 {
		t.Errorf("the other etcd has %d Leases, want none", n)
	}
	if n := keys(t, cluster.EtcdURL(), "/registry/namespaces/"+e.Namespace); n != 1 {
		t.Errorf("the other etcd has the namespace %d times, want once", n)
	}

	harness.Eventually(t, slack, "a read of the Lease is caught by the flow schema", func() bool {
		return caughtBy(t, e.Access, leasePath(e)) == string(schema.UID)
	})
	if other := caughtBy(t, e.Access, "/api/v1/namespaces/"+e.Namespace+"/pods"); other == string(schema.UID) || other == "" {
		t.Errorf("a request for pods is caught by the flow schema with the UID %q, want another one than that for Leases", other)
	}
	before := dispatched(t, cluster)
	leader.Terminate(t)
	harness.AwaitLeader(t, e.Duration+slack, harness.Others(replicas, leader)...)
	if after := dispatched(t, cluster); after <= before {
		t.Errorf("after a handover the priority level has dispatched %g requests, as many as before", after)
	}
}

func leasePath(e *harness.Election) string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + e.Namespace + "/leases/" + e.Lease
}

// startEtcd starts one more etcd, and returns its URL.
func startEtcd(t *testing.T) string {
	t.Helper()
	binaries, err := harness.ClusterBinaries()
	if err != nil {
		t.Fatal(err)
	}
	dir, client, peer := t.TempDir(), "http://"+harness.FreeAddress(t), "http://"+harness.FreeAddress(t)
	harness.Launch(t, "etcd for Leases", filepath.Join(dir, "log"), filepath.Join(binaries, "etcd"), []string{
		"--name=leases", "--data-dir=" + filepath.Join(dir, "data"), "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=leases=" + peer,
	}, nil)
	return client
}

// keys counts the keys of an etcd that begin with prefix.
func keys(t *testing.T, etcd, prefix string) int {
	t.Helper()
	end := []byte(prefix)
	end[len(end)-1]++
	body := fmt.Sprintf(`{"key":%q,"range_end":%q,"count_only":true}`, base64.StdEncoding.EncodeToString([]byte(prefix)), base64.StdEncoding.EncodeToString(end))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, etcd+"/v3/kv/range", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct {
		Count int `json:"count,string"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("count the keys of etcd: %s, %v", answer.Status, err)
	}
	return found.Count
}

// caughtBy returns the UID of the flow schema that has caught a GET of path by an account, as the API server's answer says.
func caughtBy(t *testing.T, a harness.Access, path string) string {
	t.Helper()
	transport, err := rest.TransportFor(a.Config())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Config().Host+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.Header.Get(flowcontrolv1.ResponseHeaderMatchedFlowSchemaUID)
}

// dispatched is how many requests the priority level of the example has dispatched.
func dispatched(t *testing.T, cluster *harness.Cluster) float64 {
	t.Helper()
	return cluster.APIMetrics(t).Sum("apiserver_flowcontrol_dispatched_requests_total", `flow_schema="lease-sidecar"`, `priority_level="lease-sidecar"`)
}
