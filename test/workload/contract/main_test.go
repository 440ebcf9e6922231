//go:build linux

package contract

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func TestMain(m *testing.M) {
	code := harness.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
