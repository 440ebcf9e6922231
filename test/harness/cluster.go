//go:build linux

package harness

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// readyBound is how long a component may take until it serves, with room for a machine that does much else.
const readyBound = 2 * time.Minute

// Cluster is a real Kubernetes API: one etcd and one kube-apiserver on loopback ports, RBAC on. There is no
// controller manager: nothing deletes a namespace's content, and a Deployment makes no Pods.
type Cluster struct {
	// Admin may do everything.
	Admin *kubernetes.Clientset
	// Audit reads what the API server wrote down of every request for Leases.
	Audit *Audit

	config   *rest.Config
	dir      string
	binaries string
	pki      *PKI
	etcdPort string
	peerPort string
	apiPort  string
	apiFlags []string
	durable  bool // etcd waits for the disk
	etcd     *Process
	api      *Process
}

// auditPolicy records the requests for Leases, each once at its end, and watches at their start as well.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: None
`

// NewCluster starts a cluster whose files live below dir, and trusts the authority. The API server gets apiFlags after its own. The
// caller stops it.
func NewCluster(ctx context.Context, dir string, authority *PKI, apiFlags ...string) (*Cluster, error) {
	binaries, err := clusterBinaries()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, binaries: binaries, pki: authority, etcdPort: ports[0], apiPort: ports[1], peerPort: ports[2], apiFlags: apiFlags}
	c.Audit = &Audit{path: filepath.Join(dir, "audit.log")}
	if err := os.WriteFile(filepath.Join(dir, "audit.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("write the audit policy: %w", err)
	}
	c.config = &rest.Config{
		Host: c.Host(),
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: c.pki.CAFile(), CertFile: c.pki.CertFile("admin"), KeyFile: c.pki.KeyFile("admin"),
		},
		QPS: -1,
	}
	if c.Admin, err = kubernetes.NewForConfig(c.config); err != nil {
		return nil, fmt.Errorf("make the administrator's client: %w", err)
	}
	if err := c.startEtcd(); err != nil {
		return nil, err
	}
	if err := c.startAPI(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// Host is the API server's address, "https://127.0.0.1:PORT".
func (c *Cluster) Host() string { return "https://127.0.0.1:" + c.apiPort }

// PKI is the authority that the API server trusts.
func (c *Cluster) PKI() *PKI { return c.pki }

func (c *Cluster) startAPI(ctx context.Context) (err error) {
	c.api, err = launch("kube-apiserver", filepath.Join(c.dir, "kube-apiserver.log"), nil, filepath.Join(c.binaries, "kube-apiserver"), append([]string{
		"--etcd-servers=http://127.0.0.1:" + c.etcdPort,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + c.apiPort,
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--tls-cert-file=" + c.pki.CertFile("apiserver"), "--tls-private-key-file=" + c.pki.KeyFile("apiserver"),
		"--client-ca-file=" + c.pki.CAFile(),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.pki.KeyFile("service-accounts"),
		"--service-account-signing-key-file=" + c.pki.KeyFile("service-accounts"),
		"--audit-policy-file=" + filepath.Join(c.dir, "audit.yaml"), "--audit-log-path=" + c.Audit.path,
		"--profiling=false",
	}, c.apiFlags...), os.Environ())
	if err != nil {
		return err
	}
	return c.waitReady(ctx)
}

// waitReady waits until the API server says that it is ready, or has died.
func (c *Cluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyBound)
	defer cancel()
	for {
		var status int
		c.Admin.RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status)
		if status == http.StatusOK {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-c.api.Exited():
			return fmt.Errorf("kube-apiserver ended before it was ready:\n%s", c.api.Tail(20))
		case <-c.etcd.Exited():
			return fmt.Errorf("etcd ended before kube-apiserver was ready:\n%s", c.etcd.Tail(20))
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver was not ready within %v:\n%s", readyBound, c.api.Tail(20))
		}
	}
}

// KillAPI ends the API server at once, as a crash does: connections to it are refused from here on.
func (c *Cluster) KillAPI(testing.TB) { c.api.Stop(0) }

// FreezeAPI stops the API server without closing anything: requests hang.
func (c *Cluster) FreezeAPI(t testing.TB) { c.api.Freeze(t) }

// WakeAPI lets a frozen API server go on, with all the requests that it holds.
func (c *Cluster) WakeAPI(t testing.TB) { c.api.Wake(t) }

// RestartAPI starts the API server again on its address and data, and waits until it is ready.
func (c *Cluster) RestartAPI(t testing.TB) {
	t.Helper()
	if err := c.startAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Stop ends both components and joins them. The data may go: no grace is needed.
func (c *Cluster) Stop() {
	if c.api != nil {
		c.api.Stop(0)
	}
	if c.etcd != nil {
		c.etcd.Stop(0)
	}
}

// showLogs prints the ends of the components' logs where the test has failed. A cluster that many tests share has
// little to say of one of them, unless it has died.
func (c *Cluster) showLogs(t testing.TB, shared bool) {
	if !t.Failed() {
		return
	}
	for _, p := range []*Process{c.etcd, c.api} {
		if !shared || !p.Alive() {
			t.Logf("the end of %s's log:\n%s", p.Name, p.Tail(8))
		}
	}
}
