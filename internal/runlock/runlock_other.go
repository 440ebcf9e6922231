//go:build !linux

package runlock

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Config is as on Linux.
type Config struct {
	// Dir is the signal directory.
	Dir string
	// Clock, Ended and Log are not used here.
	Clock bootclock.Clock
	Ended func()
	Log   *slog.Logger
}

// RunLock is there on Linux only.
type RunLock struct{}

var _ sight.Sight = (*RunLock)(nil)

// New fails.
func New(Config) (*RunLock, error) { return nil, errors.New("the run lock is there on Linux only") }

// Name returns "run-lock".
func (*RunLock) Name() string { return "run-lock" }

// Kills returns false.
func (*RunLock) Kills() bool { return false }

// State returns Unknown.
func (*RunLock) State(bool) sight.State { return sight.Unknown }

// Watch returns at once.
func (*RunLock) Watch(context.Context, func()) {}

// Level does nothing.
func (*RunLock) Level(leadership.Leadership) {}

// Run returns at once.
func (*RunLock) Run(context.Context) {}

// Close does nothing.
func (*RunLock) Close() error { return nil }
