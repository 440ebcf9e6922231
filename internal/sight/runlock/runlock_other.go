//go:build !linux

package runlock

import (
	"context"
	"errors"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// RunLock is there on Linux only.
type RunLock struct{}

var _ sight.Sight = (*RunLock)(nil)

// New fails.
func New(Config) (*RunLock, error) { return nil, errors.New("the run lock is there on Linux only") }

// Name returns "run-lock".
func (*RunLock) Name() string { return "run-lock" }

// Kills reports false.
func (*RunLock) Kills() bool { return false }

// State knows nothing.
func (*RunLock) State(bool) sight.State { return sight.Unknown }

// Watch sees nothing.
func (*RunLock) Watch(ctx context.Context, _ func()) { <-ctx.Done() }

// Level does nothing.
func (*RunLock) Level(leadership.Leadership) {}

// Run does nothing.
func (*RunLock) Run(context.Context) {}

// Close does nothing.
func (*RunLock) Close() error { return nil }
