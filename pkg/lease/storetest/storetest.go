// Package storetest is the conformance suite of [lease.Store]: what the election relies on, as tests that run the same on
// every store, the real API server included.
//
// It promises that a store which passes keeps compare-and-swap on (UID, version), lets no deleted Lease return, numbers every
// change in rising order, keeps foreign metadata, and shows all of it to a watch. It does not test how a store behaves when
// its medium fails: that is each store's own.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Fixture { … })
//	}
package storetest

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// Run tests a store by every case of the suite. newFixture is called once a case.
func Run(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(newBench(t, newFixture(t))) })
	}
}

var cases = []struct {
	name string
	run  func(*bench)
}{
	{"get/absent", getAbsent},
	{"create/stores the record", createStores},
	{"create/exists", createExists},
	{"create/many at once", createMany},
	{"create/ended context", createEndedContext},
	{"update/stores the record each time", updateStores},
	{"update/stale version", updateStale},
	{"update/right version of another object", updateWrongUID},
	{"update/a record never read", updateNeverRead},
	{"update/deleted", updateDeleted},
	{"update/nothing changed", updateIdentical},
	{"update/one winner a version", updateRace},
	{"update/two Leases do not mix", twoLeases},
	{"content/release mark keeps its microseconds", releaseMark},
	{"content/label and annotations, and no strategy", labelAndAnnotations},
	{"content/foreign metadata is kept", foreignMetadata},
	{"content/preferred holder", preferredHolder},
	{"version/rises over everything", versionsRise},
	{"watch/each change in order", watchEachChange},
	{"watch/from none", watchFromNone},
	{"watch/from none while absent", watchFromNoneAbsent},
	{"watch/a burst", watchBurst},
	{"watch/deleted and created between two looks", watchRecreated},
	{"watch/another Lease's changes", watchAnotherLease},
	{"watch/an edit by hand", watchEdit},
	{"watch/ends with its context", watchEnds},
	{"watch/many watchers", watchMany},
}

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
