package storetest

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// BackendAdmin is the [Admin] of a store whose Leases end up in a [memory.Backend].
type BackendAdmin struct {
	// Backend holds the Leases.
	Backend *memory.Backend
	// Namespace is the one that they are in.
	Namespace string
}

var _ Admin = BackendAdmin{}

// Read implements [Admin].
func (a BackendAdmin) Read(_ *testing.T, name string) *coordinationv1.Lease {
	return a.Backend.Read(a.Namespace, name)
}

// Edit implements [Admin].
func (a BackendAdmin) Edit(t *testing.T, name string, edit func(*coordinationv1.Lease)) {
	t.Helper()
	if !a.Backend.Edit(a.Namespace, name, edit) {
		t.Fatalf("edit %s: there is none", name)
	}
}

// Delete implements [Admin].
func (a BackendAdmin) Delete(t *testing.T, name string) {
	t.Helper()
	if !a.Backend.Delete(a.Namespace, name) {
		t.Fatalf("delete %s: there is none", name)
	}
}
