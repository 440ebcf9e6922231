package repo

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the generated reference instead of comparing it")

// TestReferenceIsTheCommandsOwn compares the reference that is kept with what the program prints of itself now.
func TestReferenceIsTheCommandsOwn(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "-buildvcs=false", "./cmd/lease-sidecar", "docs")
	cmd.Dir = top
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("print the reference: %v\n%s", err, failed.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(top, "docs", "reference", "cli.md")
	if *update {
		if err := os.WriteFile(path, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(out), read(t, path)); diff != "" {
		t.Errorf("%s is not what the program prints: run make docs (-program +file):\n%s", path, diff)
	}
}
