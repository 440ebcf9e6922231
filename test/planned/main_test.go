package planned

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binary is the sidecar: built for this run, or, to look at another version, the one that $PLANNED_BINARY names.
var binary = os.Getenv("PLANNED_BINARY")

func TestMain(m *testing.M) {
	switch os.Getenv(toyEnv) {
	case "":
		os.Exit(withBinary(m))
	case "worker":
		os.Exit(workerMain())
	default:
		os.Exit(toyMain())
	}
}

func withBinary(m *testing.M) int {
	if binary == "" {
		dir, err := os.MkdirTemp("", "planned")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "lease-sidecar")
		build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/lease-sidecar")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the sidecar: %v\n%s", err, out)
			return 1
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
