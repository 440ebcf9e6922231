package dir

import (
	"errors"
	"os"
	"testing"
)

func TestLockIsTheFileOfThatName(t *testing.T) {
	f := newFiles(t.TempDir(), "default", "acme-1")
	for _, c := range []struct {
		name    string
		between func() error // opening the file and locking it
		want    error
	}{
		{"nothing happens", func() error { return nil }, nil},
		{"removed", func() error { return os.Remove(f.locked) }, errBusy},
		{"replaced", func() error { return errors.Join(os.Remove(f.locked), os.WriteFile(f.locked, nil, 0o600)) }, errBusy},
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
