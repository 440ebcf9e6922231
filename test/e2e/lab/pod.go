//go:build linux

package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Kubectl runs kubectl as the administrator in a namespace, and returns what it prints. It must succeed.
func (l *Lab) Kubectl(t testing.TB, namespace string, args ...string) string {
	t.Helper()
	out, code := l.TryKubectl(t, namespace, args...)
	if code != 0 {
		t.Fatalf("kubectl %s: status %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// TryKubectl is Kubectl for a command that may fail.
func (l *Lab) TryKubectl(t testing.TB, namespace string, args ...string) (string, int) {
	t.Helper()
	return harness.RunCommand(t, filepath.Join(l.tools.cluster, "kubectl"), append([]string{"--kubeconfig", l.kubeconfig, "-n", namespace}, args...)...)
}

// lateBound is how long a command of LateKubectl may take.
const lateBound = 90 * time.Second

// LateKubectl is Kubectl for the end of a test, when its context has ended already. It may fail.
func (l *Lab) LateKubectl(t testing.TB, namespace string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), lateBound)
	defer cancel()
	command := append([]string{"--kubeconfig", l.kubeconfig, "-n", namespace}, args...)
	out, _ := exec.CommandContext(ctx, filepath.Join(l.tools.cluster, "kubectl"), command...).CombinedOutput()
	return string(out)
}

// Pod returns a pod as the API server has it.
func (l *Lab) Pod(t testing.TB, namespace, name string) *corev1.Pod {
	t.Helper()
	p, err := l.Admin.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// NodeOf returns the node that a pod is on.
func (l *Lab) NodeOf(t testing.TB, p *corev1.Pod) *Node {
	t.Helper()
	i := slices.IndexFunc(l.Nodes, func(n *Node) bool { return n.Name == p.Spec.NodeName })
	if i < 0 {
		t.Fatalf("the pod %s is on the node %q, which is none of ours", p.Name, p.Spec.NodeName)
	}
	return l.Nodes[i]
}

// Container is one of a pod's that runs.
type Container struct {
	// Node runs it.
	Node *Node
	// ID is containerd's, PID its first process as the tests see it.
	ID  string
	PID int

	t   testing.TB
	net *os.File // the pod's network namespace, which the container's end does not close
}

// Container returns a container of a pod, also where it is an init container.
func (l *Lab) Container(t testing.TB, namespace, pod, name string) *Container {
	t.Helper()
	p := l.Pod(t, namespace, pod)
	c := &Container{Node: l.NodeOf(t, p), t: t}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.Name == name {
			c.ID = strings.TrimPrefix(s.ContainerID, "containerd://")
		}
	}
	for line := range strings.Lines(c.Node.Ctr(t, "tasks", "ls")) { // TASK PID STATUS
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == c.ID {
			c.PID, _ = strconv.Atoi(fields[1])
		}
	}
	if c.PID == 0 {
		t.Fatalf("the container %s of the pod %s does not run (%q)", name, pod, c.ID)
	}
	var err error
	if c.net, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", c.PID)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.net.Close() })
	return c
}

// Kill ends the container's processes at once, as a crash does.
func (c *Container) Kill() {
	c.t.Helper()
	c.Node.Ctr(c.t, "tasks", "kill", "-s", "KILL", c.ID)
}

// Network runs a command in the network namespace of the container's pod.
func (c *Container) Network(command ...string) {
	c.t.Helper()
	out, code := harness.RunCommand(c.t, "nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), c.net.Fd()), "--"}, command...)...)
	if code != 0 {
		c.t.Fatalf("%s: status %d\n%s", strings.Join(command, " "), code, out)
	}
}

// Dial opens a connection from the network namespace of the container's pod.
func (c *Container) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	runtime.LockOSThread() // the thread is in the other namespace for a moment: it makes the socket there
	defer runtime.UnlockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = own.Close() }()
	if err := unix.Setns(int(c.net.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the pod's network: %w", err)
	}
	defer func() {
		if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("leave the pod's network: %v", err)) // the thread must not serve others there
		}
	}()
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Cut drops what the container's pod sends and gets, as far as it matches a rule of nft, such as "ip daddr 10.96.0.1", until the
// function that it returns is called.
func (c *Container) Cut(match string) (heal func()) {
	c.t.Helper()
	c.Network("nft", "add table inet cut; add chain inet cut out { type filter hook output priority 0; }; add chain inet cut in { type filter hook input priority 0; }; "+
		"add rule inet cut out "+match+" drop; add rule inet cut in "+match+" drop")
	return func() {
		c.t.Helper()
		c.Network("nft", "delete table inet cut")
	}
}

// APIServer matches what goes to the API server.
const APIServer = "ip daddr 10.96.0.1"
