// Package storetest is the conformance suite of [lease.Store]: what the election relies on, as tests that run
// the same on every store, the real API server included.
//
// It promises that a store which passes keeps compare-and-swap on (UID, version), lets no deleted Lease return,
// numbers every change in rising order, keeps foreign metadata, and shows all of it to a watch. It does not test
// how a store behaves when its medium fails: that is each store's own.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Fixture { … })
//	}
package storetest
