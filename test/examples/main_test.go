//go:build linux

package examples

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// atOnce is how many tests run side by side. They mostly wait, but a Java compiler that starts does not.
const atOnce = "4"

// built is the folder with the binaries under test.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		flag.Parse()
		if err := flag.Set("test.parallel", atOnce); err != nil {
			return failed("limit the tests that run at once", err)
		}
		var err error
		if built, err = os.MkdirTemp("", "examples"); err != nil {
			return failed("make a folder for the binaries", err)
		}
		defer os.RemoveAll(built)
		build := exec.Command("go", "build", "-buildvcs=false", "-o", built+string(filepath.Separator),
			"../../cmd/lease-sidecar", "../../examples/go")
		if out, err := build.CombinedOutput(); err != nil {
			return failed("build the sidecar and the example in Go", fmt.Errorf("%w\n%s", err, out))
		}
		code := m.Run()
		if err := goleak.Find(); err != nil && code == 0 {
			return failed("join all goroutines", err)
		}
		return code
	}())
}

func failed(what string, err error) int {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	return 1
}
