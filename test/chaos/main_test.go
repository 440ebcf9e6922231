//go:build linux

package chaos

import (
	"os"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestMain runs the tests, or is the program of a replica that runs it only while it leads.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == workCommand {
		os.Exit(work(os.Args[2]))
	}
	os.Exit(harness.Main(m))
}
