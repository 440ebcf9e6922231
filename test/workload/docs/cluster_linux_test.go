//go:build linux

package docs

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// A machine of its own has no way to the API server but a socket in a folder, which its program inherits:
//
//	kubectl ──▶ 127.0.0.1:PORT ── inside ──▶ the socket ── outside ──▶ 127.0.0.1:PORT, the API server

// lend gives the command a namespace of the shared cluster, as its administrator, and kubectl and helm.
func lend(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	c := harness.Shared(t)
	config, err := clientcmd.LoadFromFile(c.AdminKubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, context := range config.Contexts {
		context.Namespace = c.Namespace(t, nil)
	}
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		t.Fatal(err)
	}
	content, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(c.Host(), "https://")
	cmd.Env = append(cmd.Env, kubeconfigEnv+"="+string(content), clusterEnv+"="+address,
		"PATH="+strings.Join([]string{filepath.Dir(harness.Kubectl(t)), filepath.Dir(harness.Helm(t)), os.Getenv("PATH")}, ":"))

	folder, err := os.MkdirTemp("", "bridge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	open, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Close() })
	cmd.ExtraFiles = []*os.File{open}
	l, err := net.Listen("unix", filepath.Join(folder, "api"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go bridge(l, "tcp", address)
}

// borrow makes the API server that was lent known here, as a reader's own.
func borrow() error {
	folder := filepath.Join(home, ".kube")
	err := os.Mkdir(folder, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "config"), []byte(os.Getenv(kubeconfigEnv)), 0o600)
	}
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", os.Getenv(clusterEnv))
	if err != nil {
		return err
	}
	go bridge(l, "unix", "/proc/self/fd/"+strconv.Itoa(bridgeFD)+"/api")
	return nil
}

// bridge passes on what comes to a listener, until that is closed.
func bridge(l net.Listener, network, address string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = in.Close() }()
			out, err := net.Dial(network, address)
			if err != nil {
				return // the caller sees its connection closed
			}
			defer func() { _ = out.Close() }()
			go func() {
				_, _ = io.Copy(out, in)
				_ = out.Close()
			}()
			_, _ = io.Copy(in, out)
		}()
	}
}
