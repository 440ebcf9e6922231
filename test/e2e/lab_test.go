//go:build linux

package e2e

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
)

func TestUp(t *testing.T) {
	l := lab.Shared(t)
	t.Log(l.Nodes[0].Ctr(t, "images", "ls", "-q"))
}
