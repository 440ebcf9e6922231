//go:build !linux

package processes

import (
	"context"
	"errors"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// Processes is there on Linux only.
type Processes struct{}

var _ sight.Sight = (*Processes)(nil)

// CheckNamespace fails.
func CheckNamespace() error { return errors.New("processes are seen on Linux only") }

// New returns a sight of nothing.
func New(Config) *Processes { return &Processes{} }

// Name returns "processes".
func (*Processes) Name() string { return "processes" }

// Kills reports false.
func (*Processes) Kills() bool { return false }

// State knows nothing.
func (*Processes) State(bool) sight.State { return sight.Unknown }

// Watch sees nothing.
func (*Processes) Watch(ctx context.Context, _ func()) { <-ctx.Done() }
