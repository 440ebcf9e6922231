//go:build linux

package workload

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// atOnce is how many tests run side by side unless -parallel says otherwise: each has up to nine replicas.
const atOnce = "4"

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", atOnce) // the command line, parsed after it, wins
	code := harness.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
