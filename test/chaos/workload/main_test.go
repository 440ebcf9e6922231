//go:build linux

package workload

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var binaryPath = flag.String("binary", "", "the sidecar to test, such as one of an older version; by default this tree's, built for the run")

// programDir is where the program is built; "" before.
var programDir string

func TestMain(m *testing.M) {
	code := harness.Main(m)
	if programDir != "" {
		_ = os.RemoveAll(programDir)
	}
	os.Exit(code)
}

// sidecarBinary returns the sidecar under test.
func sidecarBinary(t *testing.T) string {
	t.Helper()
	if *binaryPath == "" {
		return harness.Binary(t)
	}
	path, err := filepath.Abs(*binaryPath)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var builtProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "chaos-work-")
	if err != nil {
		return "", err
	}
	programDir = dir
	path := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// program returns the workload's program, built once a run.
func program(t *testing.T) string {
	t.Helper()
	path, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// knows reports whether the sidecar under test has a flag of run.
func knows(t *testing.T, flag string) bool {
	t.Helper()
	out, err := exec.Command(sidecarBinary(t), "run", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("ask for the flags of run: %v\n%s", err, out)
	}
	return strings.Contains(string(out), flag+" ")
}
