package kube_test

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		backend := memory.New()
		server := httptest.NewServer(api{backend}.handler())
		t.Cleanup(func() { shut(server) })
		return storetest.Fixture{
			Name: name,
			Open: func(t *testing.T, name string) lease.Store {
				t.Helper()
				return client(t, &rest.Config{Host: server.URL}, slog.DiscardHandler).Lease(namespace, name)
			},
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: namespace},
			History: true,
		}
	})
}
