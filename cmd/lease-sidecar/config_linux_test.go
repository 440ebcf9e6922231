package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
)

// configOf reads arguments of run as the program does, for a workload and an API server that nobody asks. The error holds every fault.
func configOf(t *testing.T, args ...string) (c sidecar.Config, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	const cluster = `{"apiVersion": "v1", "kind": "Config", "current-context": "here",
		"contexts": [{"name": "here", "context": {"cluster": "here", "namespace": "default"}}],
		"clusters": [{"name": "here", "cluster": {"server": "https://127.0.0.1:1"}}]}`
	if err := os.WriteFile(file, []byte(cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	asked(t, func(a answers) {
		c, _ = a.config()
		err = a.err()
	}, append([]string{"--workload", "deployment/web", "--identity", "web-0", "--kubeconfig", file}, args...)...)
	return c, err
}

func TestRemoteSettings(t *testing.T) {
	t.Setenv("POD_NAME", "web-0")
	t.Setenv("POD_UID", "0b1f4a5e-0000-4000-8000-000000000000")
	t.Setenv("POD_NAMESPACE", "shop")
	s, err := configOf(t, "--label", "role=primary", "--events", "--webhook-url", "http://127.0.0.1:8080/x")
	if err != nil {
		t.Fatal(err)
	}
	want := podlabel.Label{Key: "role", Value: "primary"}
	if diff := cmp.Diff(&want, s.Label); diff != "" {
		t.Errorf("label (-want +got):\n%s", diff)
	}
	if !s.Events || s.Webhook == nil || s.Webhook.URL.String() != "http://127.0.0.1:8080/x" || s.Webhook.Timeout != 3*time.Second || !s.Webhook.Success.Include(204) {
		t.Errorf("got events %v, webhook %+v", s.Events, s.Webhook)
	}
	if s, err := configOf(t); s.Label != nil || s.Webhook != nil || s.Events || err != nil {
		t.Errorf("without options: %+v, %v; want nothing", s, err)
	}
}

// TestRevision: the revision of the pod comes from the labels file, or from the environment where the default file is missing.
func TestRevision(t *testing.T) {
	file := filepath.Join(t.TempDir(), "labels")
	if err := os.WriteFile(file, []byte("pod-template-hash=\"5d9c\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	revision := func(want string, args ...string) {
		t.Helper()
		c, err := configOf(t, append([]string{"--membership"}, args...)...)
		if err != nil || c.Membership == nil || c.Membership.Revision != want {
			t.Errorf("%q: got %+v, %v; want revision %q", args, c.Membership, err, want)
		}
	}
	revision("")
	revision("5d9c", "--labels-file", file)
	if _, err := configOf(t, "--membership", "--labels-file", file+".not"); err == nil || !strings.Contains(err.Error(), "--labels-file") {
		t.Errorf("a labels file that is not there: %v, want a fault that names the flag", err)
	}
	t.Setenv("POD_LABEL_POD_TEMPLATE_HASH", "6d66")
	revision("6d66")
	if c, err := configOf(t); c.Membership != nil || err != nil {
		t.Errorf("without --membership: %+v, %v", c.Membership, err)
	}
}

func TestRemoteFaults(t *testing.T) {
	t.Setenv("POD_NAME", "")
	tests := map[string]struct {
		args []string
		want []string
	}{
		"all at once": {
			[]string{"--label", "a/b/c", "--webhook-url", "ftp://x", "--webhook-timeout", "0s", "--webhook-success-status", "3xx", "--store", "dir:/x"},
			[]string{"--label \"a/b/c\"", "--label: want POD_NAME and POD_UID", "--webhook-url \"ftp://x\"", "--webhook-timeout", "--webhook-success-status \"3xx\"", "--store dir:/x: want kube, as there is no API server for a label"},
		},
		"Events without an API server": {[]string{"--events", "--store", "dir:/x"}, []string{"--store dir:/x"}},
		"a toggle":                     {[]string{"--events=yes"}, []string{"--events"}},
		"the metadata service":         {[]string{"--webhook-url", "http://169.254.169.254/"}, []string{"link-local"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := configOf(t, tc.args...)
			if err == nil {
				t.Fatal("no fault")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v; want it to name %q", err, want)
				}
			}
			if got := len(field.Flatten(errors.Unwrap(err))); got != len(tc.want) {
				t.Errorf("%d faults, want %d: %v", got, len(tc.want), err)
			}
		})
	}
}
