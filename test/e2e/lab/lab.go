//go:build linux

package lab

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Lab is the cluster with its nodes.
type Lab struct {
	*harness.Cluster
	// Nodes are node1 and node2.
	Nodes []*Node
	// Images are what was built for it, by Builder.
	Images  Images
	Builder *Builder

	dir        string
	cgroup     string
	tools      tools
	kubeconfig string
	components []*harness.Process
}

// tools are the folders of the binaries.
type tools struct{ cluster, node, containerd, runc string }

// shared is the lab of the test process.
var shared struct {
	sync.Once
	lab *Lab
	err error
}

// Shared returns the lab, which the first call starts. Tests share it: each uses a namespace of its own.
func Shared(t testing.TB) *Lab {
	t.Helper()
	shared.Do(func() {
		began := time.Now()
		if shared.lab, shared.err = start(context.Background()); shared.err == nil {
			t.Logf("figure: the cluster with two nodes is up after %.1f s, images included", time.Since(began).Seconds())
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.lab
}

// addresses of the nodes in the network namespace. The API server is at the first node's.
func address(node int) net.IP { return net.IPv4(10, 123, 0, byte(node)) }

// nodes is how many there are: one to drain, and one to go to.
const nodes = 2

func start(ctx context.Context) (*Lab, error) {
	dir := os.Getenv(folderVariable)
	if dir == "" {
		return nil, errors.New("the lab is for tests that lab.Main runs")
	}
	l := &Lab{dir: dir, cgroup: (&run{dir: dir}).cgroup()}
	for _, sub := range []string{"logs", "files"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	err := l.findTools()
	if err == nil {
		l.Builder, err = newBuilder(dir)
	}
	if err == nil {
		l.Images, err = l.Builder.nodeImages()
	}
	if err == nil {
		err = l.network()
	}
	if err == nil {
		err = l.controlPlane(ctx)
	}
	for n := 1; n <= nodes && err == nil; n++ {
		var node *Node
		if node, err = l.startNode(n); err == nil {
			l.Nodes = append(l.Nodes, node)
		}
	}
	if err == nil {
		err = l.awaitNodes(ctx)
	}
	if err != nil {
		l.stop()
		return nil, fmt.Errorf("start the cluster with nodes: %w\n%s", err, l.tails())
	}
	return l, nil
}

func (l *Lab) findTools() (err error) {
	if l.tools.cluster, err = harness.ClusterBinaries(); err != nil {
		return err
	}
	if l.tools.node, err = harness.NodeBinaries(); err != nil {
		return err
	}
	if l.tools.containerd, err = harness.ContainerdBinaries(); err != nil {
		return err
	}
	l.tools.runc, err = harness.RuncBinaries()
	return err
}

// network gives the network namespace its addresses.
func (l *Lab) network() error {
	steps := [][]string{{"ip", "link", "set", "lo", "up"}}
	for n := 1; n <= nodes; n++ {
		steps = append(steps, []string{"ip", "addr", "add", address(n).String() + "/32", "dev", "lo"})
	}
	// What the nodes send to a Service's address goes through the packet filter too.
	steps = append(steps, []string{"ip", "route", "add", "10.96.0.0/16", "dev", "lo"})
	for _, step := range steps {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(step, " "), err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
}

// controlPlane starts all that is not a node's own.
func (l *Lab) controlPlane(ctx context.Context) error {
	authority, err := harness.NewPKI(l.files(), address(1), address(2))
	if err != nil {
		return err
	}
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for name, subject := range map[string]pkix.Name{
		"kubelet-client":          {CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
		"kube-scheduler":          {CommonName: "system:kube-scheduler"},
		"kube-proxy":              {CommonName: "system:kube-proxy"},
	} {
		if err := authority.Issue(name, &x509.Certificate{Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: client}); err != nil {
			return err
		}
	}
	l.Cluster, err = harness.NewCluster(ctx, l.files(), authority,
		"--bind-address=0.0.0.0", "--advertise-address="+address(1).String(), "--endpoint-reconciler-type=lease", "--allow-privileged=true",
		"--kubelet-client-certificate="+authority.CertFile("kubelet-client"), "--kubelet-client-key="+authority.KeyFile("kubelet-client"),
		"--kubelet-preferred-address-types=InternalIP")
	if err != nil {
		return err
	}
	if l.kubeconfig, err = l.CertKubeconfig(l.files(), "admin"); err != nil {
		return err
	}
	if err := l.component("kube-controller-manager", "--leader-elect=false", "--use-service-account-credentials=true",
		"--service-account-private-key-file="+authority.KeyFile("service-accounts"), "--root-ca-file="+authority.CAFile(),
		"--cluster-signing-cert-file="+authority.CAFile(), "--cluster-signing-key-file="+authority.KeyFile("ca"), "--allocate-node-cidrs=false"); err != nil {
		return err
	}
	if err := l.component("kube-scheduler", "--leader-elect=false"); err != nil {
		return err
	}
	return l.proxy()
}

// component starts a component that is configured by flags.
func (l *Lab) component(name string, flags ...string) error {
	kubeconfig, err := l.CertKubeconfig(l.files(), name)
	if err != nil {
		return err
	}
	return l.spawn(name, filepath.Join(l.tools.node, name), append([]string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig, "--bind-address=127.0.0.1",
	}, flags...)...)
}

// proxy starts kube-proxy. Both nodes are in one network namespace: one is enough.
func (l *Lab) proxy() error {
	kubeconfig, err := l.CertKubeconfig(l.files(), "kube-proxy")
	if err != nil {
		return err
	}
	config := filepath.Join(l.files(), "kube-proxy.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, proxyConfig, address(1), nodeName(1), kubeconfig), 0o600); err != nil {
		return err
	}
	return l.spawn("kube-proxy", filepath.Join(l.tools.node, "kube-proxy"), "--config="+config)
}

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
bindAddress: %s
hostnameOverride: %s
clusterCIDR: 10.244.0.0/16
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`

// spawn starts a component that ends with the lab.
func (l *Lab) spawn(name, binary string, args ...string) error {
	p, err := harness.Spawn(name, l.log(name), binary, args, os.Environ())
	if err == nil {
		l.components = append(l.components, p)
	}
	return err
}

func (l *Lab) files() string { return filepath.Join(l.dir, "files") }

func (l *Lab) log(name string) string { return filepath.Join(l.dir, "logs", name+".log") }

// readyBound is how long the nodes may take until they are ready, on a machine that does much else.
const readyBound = 3 * time.Minute

func (l *Lab) awaitNodes(ctx context.Context) error {
	ready := func() bool {
		n := 0
		list, err := l.Admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false
		}
		for _, node := range list.Items {
			for _, c := range node.Status.Conditions {
				if c.Type == "Ready" && c.Status == "True" {
					n++
				}
			}
		}
		return n == nodes
	}
	if !harness.Within(readyBound, 200*time.Millisecond, ready) {
		return fmt.Errorf("the nodes were not ready within %v", readyBound)
	}
	return nil
}

// stop ends everything. The kernel would do it as well; the order saves the logs from errors.
func (l *Lab) stop() {
	for _, n := range l.Nodes {
		n.stop()
	}
	for _, p := range l.components {
		p.Stop(0)
	}
	if l.Cluster != nil {
		l.Stop()
	}
}

// tails is the end of each component's log.
func (l *Lab) tails() string {
	var all strings.Builder
	logs, _ := filepath.Glob(l.log("*"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&all, "--- the end of %s:\n%s\n", filepath.Base(path), strings.Join(lines[max(0, len(lines)-6):], "\n"))
	}
	return all.String()
}
