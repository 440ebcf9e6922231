//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// statusRow is what `status -o json` says of a Lease.
type statusRow struct {
	Namespace, Name, Kind, State, Holder, Leader, Node string
	Estimated                                          bool
}

// TestStatusOfACluster shows a cluster with nodes: the election of pods, those of kube-controller-manager and kube-scheduler, the heartbeats of
// kubelets, and the identity of the API server.
func TestStatusOfACluster(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	w := lab.Deploy(t, l, lab.App{})
	w.AwaitReady(slack, 3)
	leader := w.AwaitWork(leaseDuration + slack)
	startElected(t, l)

	kubeconfig := l.AdminKubeconfig(t)
	show := func(args ...string) string {
		t.Helper()
		out, code := harness.RunCommand(t, harness.ShippedBinary(t), append([]string{"status", "--kubeconfig", kubeconfig}, args...)...)
		if code != 0 {
			t.Fatalf("status %q: status %d\n%s", args, code, out)
		}
		return out
	}
	rows := func(args ...string) []statusRow {
		t.Helper()
		var list struct{ Items []statusRow }
		if err := json.Unmarshal([]byte(show(append(args, "-o", "json")...)), &list); err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	t.Logf("as it is shown:\n%s\n%s\n%s\n%s", show("-A"), show("-A", "-o", "wide", "--measure", "15s"), show("acme-752b7817f6", "-n", w.Namespace), show("--kind", "all"))

	elections := rows("-A", "--measure", "15s")
	of := func(namespace, name string) statusRow {
		t.Helper()
		i := slices.IndexFunc(elections, func(r statusRow) bool { return r.Namespace == namespace && r.Name == name })
		if i < 0 {
			t.Fatalf("no election %s/%s", namespace, name)
		}
		return elections[i]
	}
	if r := of(w.Namespace, "acme-752b7817f6"); r.Leader != leader || r.State != "Held" || r.Kind != "lease-sidecar" {
		t.Errorf("%s works, and status shows %+v", leader, r)
	}
	host, _ := os.Hostname()
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if r := of("kube-system", name); r.Kind != "client-go" || r.State != "Held" || r.Leader != host || r.Estimated {
			t.Errorf("%s runs on %s, and status shows %+v", name, host, r)
		}
	}
	nodes := rows("--kind", "nodes")
	for _, n := range l.Nodes {
		i := slices.IndexFunc(nodes, func(r statusRow) bool { return r.Name == n.Name })
		if i < 0 || nodes[i].Kind != "node" || nodes[i].Holder != n.Name {
			t.Errorf("node %s is not among %+v", n.Name, nodes)
		}
	}
	if !slices.ContainsFunc(nodes, func(r statusRow) bool { return r.State == "Ready" }) { // another test may have stopped one
		t.Errorf("no node is ready: %+v", nodes)
	}
	if servers := rows("--kind", "apiservers"); len(servers) != 1 || servers[0].State != "Live" || servers[0].Node != host || !strings.HasPrefix(servers[0].Name, "apiserver-") {
		t.Errorf("the API server of %s is shown as %+v", host, servers)
	}
	w.Verdict()
}

// startElected starts the controller manager and the scheduler that elect, beside those of the lab, which do not. They wait for work that nobody
// has.
func startElected(t *testing.T, l *lab.Lab) {
	t.Helper()
	binaries, err := harness.NodeBinaries()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, flags := range map[string][]string{
		"kube-controller-manager": {"--controllers=ttl-after-finished-controller", "--leader-elect=true"},
		"kube-scheduler":          {"--config=" + filepath.Join(dir, "scheduler.yaml")},
	} {
		kubeconfig, err := l.CertKubeconfig(dir, name)
		if err == nil && name == "kube-scheduler" {
			err = os.WriteFile(filepath.Join(dir, "scheduler.yaml"), fmt.Appendf(nil, schedulerConfig, kubeconfig), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		harness.Launch(t, name, filepath.Join(dir, name+".log"), filepath.Join(binaries, name), append([]string{
			"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig, "--secure-port=0",
		}, flags...), os.Environ())
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		harness.Eventually(t, slack, name+" is elected", func() bool {
			holder, code := l.TryKubectl(t, "kube-system", "get", "lease", name, "-o", "jsonpath={.spec.holderIdentity}")
			return code == 0 && holder != ""
		})
	}
}

// schedulerConfig is that of a scheduler for pods that name it, of which there are none.
const schedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: true}
clientConnection: {kubeconfig: %s}
profiles: [{schedulerName: nobody}]
`
