//go:build linux

package e2e

import (
	"os"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
