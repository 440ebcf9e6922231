//go:build linux

package bench

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	span      = flag.Duration("for", time.Minute, "how long the idle candidates are watched")
	probed    = flag.Bool("probes", false, "ask the sidecars as the kubelet does each 10 s, and as Prometheus does each 30 s")
	handovers = flag.Int("handovers", 50, "how many planned handovers of each build are timed")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// build is one program that runs as a sidecar.
type build struct{ name, path string }

// builds returns what is to be measured: the sidecar as it is shipped, and what SIDECAR_BEFORE names.
func builds(t *testing.T) []build {
	t.Helper()
	all := []build{{"this", harness.ShippedBinary(t)}}
	if before := harness.BeforeBinary(); before != "" {
		all = append(all, build{"before", before})
	}
	return all
}
