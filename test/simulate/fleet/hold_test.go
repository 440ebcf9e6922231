//go:build linux

package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// TestKilledProcessWritesNoHold: between the kill and the end of its goroutines a process writes nothing. Else chance would decide
// whether its successor resumes the term, and one seed would have two histories.
func TestKilledProcessWritesNoHold(t *testing.T) {
	dir := t.TempDir()
	hold, err := elector.OpenHold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Close() }()
	killed := holdFile{hold, &process{w: &world{}, pod: &Pod{}, c: &candidate{}, dead: true}}
	if err := killed.Save(elector.HoldKey{}, elector.HoldState{Leading: true}); !errors.Is(err, errKilled) {
		t.Errorf("Save returned %v, want %v", err, errKilled)
	}
	if b, err := os.ReadFile(filepath.Join(dir, elector.HoldName)); err != nil || len(b) != 0 {
		t.Errorf("the hold is %q, %v; want it empty", b, err)
	}
}
