//go:build linux

package apiserver

import (
	"flag"
	"os"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	wanted = flag.Int("terms", 10, "how many terms each run has, at least")
	seed   = flag.Uint64("seed", 1, "the seed of what the runs do to sidecars and workers")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
