package repo

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/workload/docs"
)

// TestEveryCommandOfTheDocumentsRuns: each shell command of the README and of the pages is run by test/workload/docs, or listed there
// with a reason.
func TestEveryCommandOfTheDocumentsRuns(t *testing.T) {
	faults, err := docs.Faults(top, docs.Pages, docs.Elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}
