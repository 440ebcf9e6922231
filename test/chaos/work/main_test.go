//go:build linux

package work

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// knows reports whether the sidecar under test has a flag of run.
func knows(t *testing.T, flag string) bool {
	t.Helper()
	out, err := exec.Command(harness.Binary(t), "run", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("ask for the flags of run: %v\n%s", err, out)
	}
	return strings.Contains(string(out), flag+" ")
}
