package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
)

// readRemote reads the options of the signals that go over the network, for a Lease in the namespace default.
func readRemote(a answers) sidecar.Config {
	c := validConfig()
	c.Pod, c.Label, c.Webhook, c.Events = podid.FromEnvironment(), a.label(), a.webhook(), a.Toggle(eventsFlag)
	if strings.HasPrefix(a.Text(storeFlag), "dir:") {
		c.Store, _ = a.store()
	}
	a.Fields(c.Validate())
	return c
}

func TestRemoteSettings(t *testing.T) {
	t.Setenv("POD_NAME", "web-0")
	t.Setenv("POD_UID", "0b1f4a5e-0000-4000-8000-000000000000")
	t.Setenv("POD_NAMESPACE", "shop")
	asked(t, func(a answers) {
		s := readRemote(a)
		if err := a.err(); err != nil {
			t.Fatal(err)
		}
		want := podlabel.Label{Key: "role", Value: "primary"}
		if diff := cmp.Diff(&want, s.Label); diff != "" {
			t.Errorf("label (-want +got):\n%s", diff)
		}
		if !s.Events || s.Webhook.URL.String() != "http://127.0.0.1:8080/x" || s.Webhook.Timeout != 3*time.Second || !s.Webhook.Success.Include(204) {
			t.Errorf("got events %v, webhook %+v", s.Events, s.Webhook)
		}
	}, "--label", "role=primary", "--events", "--webhook-url", "http://127.0.0.1:8080/x")
	asked(t, func(a answers) {
		if s := readRemote(a); s.Label != nil || s.Webhook != nil || s.Events || a.err() != nil {
			t.Errorf("without options: %+v, %v; want nothing", s, a.err())
		}
	})
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
			asked(t, func(a answers) {
				readRemote(a)
				err := a.err()
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
			}, tc.args...)
		})
	}
}
