package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		backend := memory.New()
		t.Cleanup(backend.Close)
		return storetest.Fixture{
			Name:    "acme-752b7817f6",
			Open:    func(_ *testing.T, name string) lease.Store { return backend.Store("default", name) },
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: "default"},
			History: true,
		}
	})
}
