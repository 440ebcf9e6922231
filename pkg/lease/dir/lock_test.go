//go:build linux

package dir

import (
	"errors"
	"os"
	"testing"
)

// TestLock: of two that write at once, one would overwrite the other's version.
func TestLock(t *testing.T) {
	f := newFiles(t.TempDir(), "default", "acme-1")
	for _, c := range []struct {
		name    string
		between func() error // opening the file and locking it
		want    error
	}{
		{"nothing happens", func() error { return nil }, nil},
		{"removed", func() error { return os.Remove(f.locked) }, errBusy},
		{"replaced", func() error { return errors.Join(os.Remove(f.locked), os.WriteFile(f.locked, nil, 0o600)) }, errBusy},
		{"taken by another", func() error {
			other, err := f.openLock()
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = other.Close() })
			return f.take(other)
		}, errBusy},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := f.openLock()
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			defer file.Close()
			if err := c.between(); err != nil {
				t.Fatalf("between: %v", err)
			}
			if err := f.take(file); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}
