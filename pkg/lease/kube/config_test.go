package kube_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/klog/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: one, cluster: {server: "https://one.example:6443"}}
- {name: two, cluster: {server: "https://two.example:6443"}}
contexts:
- {name: one, context: {cluster: one, user: me, namespace: web}}
- {name: two, context: {cluster: two, user: me}}
users:
- {name: me, user: {token: secret}}
`

func TestLoadConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, []byte(kubeconfig))
	torn := filepath.Join(t.TempDir(), "torn")
	write(t, torn, []byte("apiVersion: ["))
	for _, c := range []struct {
		name                string
		env                 map[string]string
		kubeconfig, context string
		wantHost, wantSpace string
		wantErr             string
	}{
		{name: "by flag", kubeconfig: file, wantHost: "https://one.example:6443", wantSpace: "web"},
		{name: "another context", kubeconfig: file, context: "two", wantHost: "https://two.example:6443", wantSpace: "default"},
		{name: "by environment", env: map[string]string{"KUBECONFIG": file}, wantHost: "https://one.example:6443", wantSpace: "web"},
		{name: "in a pod, by flag", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}, kubeconfig: file, wantHost: "https://one.example:6443", wantSpace: "web"},
		{name: "in a pod, by environment", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "KUBECONFIG": file}, wantHost: "https://one.example:6443", wantSpace: "web"},
		{name: "in a pod without a token", env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}, wantErr: "mount its token"},
		{name: "nothing", wantErr: kube.ErrNoCluster.Error()},
		{name: "no such context", kubeconfig: file, context: "three", wantErr: "three"},
		{name: "no such file", kubeconfig: "/nowhere/config", wantErr: "/nowhere/config"},
		{name: "torn", kubeconfig: torn, wantErr: torn},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, variable := range []string{"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_MASTER"} {
				t.Setenv(variable, c.env[variable])
			}
			config, space, err := kube.LoadConfig(c.kubeconfig, c.context)
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("error %v, want one that says %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatalf("load: %v", err)
			}
			if config.Host != c.wantHost || space != c.wantSpace {
				t.Errorf("%s in %q, want %s in %q", config.Host, space, c.wantHost, c.wantSpace)
			}
		})
	}
}

func TestClientLogsAreRouted(t *testing.T) {
	t.Cleanup(func() { kube.RouteClientLogs(slog.New(slog.DiscardHandler)) })
	var logged bytes.Buffer
	least := new(slog.LevelVar)
	kube.RouteClientLogs(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: least})))
	klog.ErrorS(errors.New("storm"), "while debug is off")
	klog.FromContext(context.Background()).WithValues("a", 1).WithName("n").Error(errors.New("storm"), "while debug is off")
	if logged.Len() > 0 {
		t.Errorf("logged while debug is off:\n%s", logged.String())
	}
	least.Set(slog.LevelDebug)
	klog.ErrorS(errors.New("storm"), "while debug is on")
	if got := logged.String(); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "storm") {
		t.Errorf("logged %q, want the error as a debug record", got)
	}
}
