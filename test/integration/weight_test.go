//go:build linux

package integration

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The figures that the documentation names for the shipped binary.
const (
	maxBinaryBytes = 18_000_000
	maxIdleKiB     = 16 << 10
)

// TestWeight measures the shipped binary and the memory of a sidecar that leads.
func TestWeight(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.Ship(t)
	s := e.Prepare(t, "web-0")
	s.Binary = harness.ShippedBinary(t)
	s.Args = append(s.Args, "--log-level", "info") // the last one counts: the default, not the tests' own
	info, err := os.Stat(s.Binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the shipped binary has %.1f MB (%s/%s)", float64(info.Size())/1e6, runtime.GOOS, runtime.GOARCH)
	if info.Size() > maxBinaryBytes {
		t.Errorf("the shipped binary has %d bytes, want at most %d", info.Size(), maxBinaryBytes)
	}

	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/leader"} { // as the kubelet and Prometheus do
		s.ProbeStatus(path)
	}
	time.Sleep(20 * time.Second)
	s.ProbeStatus("/metrics")
	resident := statusKiB(t, s.PID(), "VmRSS")
	t.Logf("a leading sidecar, idle: RSS %.1f MiB, of it %.1f of its own and %.1f of the binary's file",
		mib(resident), mib(statusKiB(t, s.PID(), "RssAnon")), mib(statusKiB(t, s.PID(), "RssFile")))
	if resident > maxIdleKiB {
		t.Errorf("a leading sidecar takes %d KiB, want at most %d", resident, maxIdleKiB)
	}
}

func mib(kib int) float64 { return float64(kib) / 1024 }

// statusKiB returns a figure of /proc/PID/status, such as VmRSS, in KiB.
func statusKiB(t *testing.T, pid int, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(status), field+":")
	var kib int
	if _, err := fmt.Sscanf(rest, "%d kB", &kib); !found || err != nil {
		t.Fatalf("read %s of process %d: %v", field, pid, err)
	}
	return kib
}
