package storetest

import "testing"

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
	{"get/is the present state", getPresent},
	{"create/stores the record", createStores},
	{"create/exists", createExists},
	{"create/many at once", createMany},
	{"create/ended context", createEndedContext},
	{"update/stores the record", updateStores},
	{"update/stale version", updateStale},
	{"update/right version of another object", updateWrongUID},
	{"update/a record never read", updateNeverRead},
	{"update/deleted", updateDeleted},
	{"update/deleted and created again", updateRecreated},
	{"update/nothing changed", updateIdentical},
	{"update/one winner a version", updateRace},
	{"update/two Leases do not mix", twoLeases},
	{"content/release mark keeps its microseconds", releaseMark},
	{"content/label and annotations", labelAndAnnotations},
	{"content/foreign metadata is kept", foreignMetadata},
	{"content/strategy is never set", strategyNeverSet},
	{"content/preferred holder", preferredHolder},
	{"version/rises over everything", versionsRise},
	{"watch/from a version", watchFromVersion},
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
