package dir

import (
	"errors"
	"os"
	"testing"
)

// TestLockIsForOne: of two that write at once, one would overwrite the other's version.
func TestLockIsForOne(t *testing.T) {
	f := newFiles(t.TempDir(), "default", "acme-1")
	var locks [2]*os.File
	for i := range locks {
		file, err := f.openLock()
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer file.Close()
		locks[i] = file
	}
	if err := f.take(locks[0]); err != nil {
		t.Fatalf("lock: %v", err)
	}
	if err := f.take(locks[1]); !errors.Is(err, errBusy) {
		t.Errorf("a second lock beside the first: error %v, want %v", err, errBusy)
	}
}
