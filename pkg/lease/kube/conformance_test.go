package kube_test

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
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
				store, err := kube.New(kube.Config{
					REST: &rest.Config{Host: server.URL}, Namespace: namespace, Name: name, Log: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatalf("new store: %v", err)
				}
				return store
			},
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: namespace},
			History: true,
		}
	})
}
