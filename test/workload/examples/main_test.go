//go:build linux

package examples

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// atOnce is how many tests run side by side unless -parallel says otherwise. They mostly wait, but a Java compiler that starts
// does not.
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
