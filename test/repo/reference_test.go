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

// TestReferenceIsTheCommandsOwn compares what is kept of the command's reference with what the command prints of
// itself now.
func TestReferenceIsTheCommandsOwn(t *testing.T) {
	for command, kept := range map[string]string{
		"docs":   filepath.Join("docs", "reference", "cli.md"),
		"manual": filepath.Join("cmd", "lease-sidecar", "lease-sidecar.1"),
	} {
		t.Run(command, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "run", "-buildvcs=false", "./cmd/lease-sidecar", command)
			cmd.Dir = top
			out, err := cmd.Output()
			if failed, ok := errors.AsType[*exec.ExitError](err); ok {
				t.Fatalf("print the reference: %v\n%s", err, failed.Stderr)
			} else if err != nil {
				t.Fatal(err)
			}
			path, want := filepath.Join(top, kept), string(out)
			if *update {
				if err := os.WriteFile(path, out, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, read(t, path)); diff != "" {
				t.Errorf("%s is not what the command prints: run make docs (-command +file):\n%s", path, diff)
			}
		})
	}
}
