//go:build linux

package lab

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Node is a machine that runs pods, as far as the cluster can tell: a containerd and a kubelet with folders, control groups, a bridge
// and an address of their own.
type Node struct {
	// Name is node1 or node2.
	Name string

	lab                 *Lab
	dir                 string
	kubeletArgs         []string
	containerd, kubelet *harness.Process
}

func nodeName(n int) string { return "node" + strconv.Itoa(n) }

const containerdConfig = `version = 3
root = '%[1]s/root'
state = '/run/%[2]s/containerd'
[grpc]
address = '/run/%[2]s/containerd.sock'
[plugins.'io.containerd.internal.v1.opt']
path = '%[1]s/opt'
[plugins.'io.containerd.nri.v1.nri']
disable = true
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '%[4]s'
[plugins.'io.containerd.cri.v1.runtime']
disable_apparmor = true
restrict_oom_score_adj = true # root without CAP_SYS_RESOURCE may not lower it
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
options = {SystemdCgroup = false}
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/usr/lib/cni']
conf_dir = '%[1]s/cni'
[plugins.'io.containerd.server.v1.grpc']
address = '/run/%[2]s/containerd.sock'
`

const cniConfig = `{"cniVersion": "1.0.0", "name": "pods-%[1]s", "plugins": [
 {"type": "bridge", "bridge": "br-%[1]s", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "/run/%[1]s/addresses", "ranges": [[{"subnet": "10.244.%[2]d.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/%[2]s/containerd.sock
address: %[3]s
healthzBindAddress: %[3]s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[4]s}}
authorization: {mode: Webhook}
tlsCertFile: %[5]s
tlsPrivateKeyFile: %[6]s
cgroupDriver: cgroupfs
cgroupRoot: %[7]s
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%}
imageGCHighThresholdPercent: 100
podLogsDir: %[1]s/podlogs
resolvConf: %[1]s/resolv.conf
maxPods: 60
nodeStatusUpdateFrequency: 4s
`

// startNode starts a node, which registers itself.
func (l *Lab) startNode(number int) (*Node, error) {
	name := nodeName(number)
	n := &Node{Name: name, lab: l, dir: filepath.Join(l.dir, name)}
	if err := l.PKI().Issue(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}},
		DNSNames:    []string{name},
		IPAddresses: []net.IP{address(number)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return nil, err
	}
	kubeconfig, err := l.CertKubeconfig(l.files(), name)
	if err != nil {
		return nil, err
	}
	group := l.cgroup + "/" + name
	if err := makeGroups(group); err != nil {
		return nil, err
	}
	p := l.PKI()
	for path, text := range map[string]string{
		"containerd.toml": fmt.Sprintf(containerdConfig, n.dir, name, number, l.Images.Pause),
		"cni/1.conflist":  fmt.Sprintf(cniConfig, name, number),
		"kubelet.yaml":    fmt.Sprintf(kubeletConfig, n.dir, name, address(number), p.CAFile(), p.CertFile(name), p.KeyFile(name), group),
		"resolv.conf":     "",
		"podlogs/.keep":   "",
	} {
		path = filepath.Join(n.dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := n.startContainerd(); err != nil {
		return nil, err
	}
	n.kubeletArgs = []string{
		"--config=" + filepath.Join(n.dir, "kubelet.yaml"), "--kubeconfig=" + kubeconfig, "--root-dir=" + n.root(),
		"--hostname-override=" + name, "--node-ip=" + address(number).String(), "--node-labels=kubernetes.io/hostname=" + name,
	}
	return n, n.startKubelet()
}

// root is the kubelet's folder, with the volumes of its pods.
func (n *Node) root() string { return filepath.Join(n.dir, "kubelet") }

func (n *Node) startContainerd() (err error) {
	if err := os.MkdirAll("/run/"+n.Name, 0o755); err != nil {
		return err
	}
	env := append(os.Environ(), "PATH="+n.lab.tools.containerd+":"+n.lab.tools.runc+":"+os.Getenv("PATH")) // the shim and runc
	n.containerd, err = harness.Spawn("containerd of "+n.Name, n.lab.log("containerd-"+n.Name), filepath.Join(n.lab.tools.containerd, "containerd"),
		[]string{"-c", filepath.Join(n.dir, "containerd.toml")}, env)
	if err != nil {
		return err
	}
	up := func() bool { return exec.Command(n.ctr()[0], append(n.ctr()[1:], "version")...).Run() == nil }
	if !harness.Within(time.Minute, 100*time.Millisecond, up) {
		return fmt.Errorf("containerd of %s does not answer:\n%s", n.Name, n.containerd.Tail(20))
	}
	for _, archive := range n.lab.Images.archives {
		if out, err := exec.Command(n.ctr()[0], append(n.ctr()[1:], "images", "import", archive)...).CombinedOutput(); err != nil {
			return fmt.Errorf("import %s: %w\n%s", filepath.Base(archive), err, out)
		}
	}
	return nil
}

// ctr is the command line of containerd's client.
func (n *Node) ctr() []string {
	return []string{filepath.Join(n.lab.tools.containerd, "ctr"), "-a", "/run/" + n.Name + "/containerd.sock", "-n", "k8s.io"}
}

// Ctr runs containerd's client on the node, and returns what it prints.
func (n *Node) Ctr(t testing.TB, args ...string) string {
	t.Helper()
	command := append(n.ctr(), args...)
	out, code := harness.RunCommand(t, command[0], command[1:]...)
	if code != 0 {
		t.Fatalf("ctr %v: status %d\n%s", args, code, out)
	}
	return out
}

func (n *Node) startKubelet() (err error) {
	n.kubelet, err = harness.Spawn("kubelet of "+n.Name, n.lab.log("kubelet-"+n.Name), filepath.Join(n.lab.tools.node, "kubelet"), n.kubeletArgs, os.Environ())
	return err
}

// KillKubelet ends the kubelet as a crash does. The pods of the node go on.
func (n *Node) KillKubelet() { n.kubelet.Stop(0) }

// StartKubelet starts the kubelet again after [Node.KillKubelet].
func (n *Node) StartKubelet(t testing.TB) {
	t.Helper()
	if err := n.startKubelet(); err != nil {
		t.Fatal(err)
	}
}

func (n *Node) stop() {
	if n.kubelet != nil {
		n.kubelet.Stop(0)
	}
	if n.containerd != nil {
		n.containerd.Stop(5 * time.Second)
	}
}
