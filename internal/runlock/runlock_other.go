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
	Dir   string
	Clock bootclock.Clock
	Ended func()
	Log   *slog.Logger
}

// RunLock is there on Linux only.
type RunLock struct{}

var _ sight.Sight = (*RunLock)(nil)

// New fails.
func New(Config) (*RunLock, error) { return nil, errors.New("the run lock is there on Linux only") }

func (*RunLock) Name() string                  { return "run-lock" }
func (*RunLock) Kills() bool                   { return false }
func (*RunLock) State(bool) sight.State        { return sight.Unknown }
func (*RunLock) Watch(context.Context, func()) {}
func (*RunLock) Level(leadership.Leadership)   {}
func (*RunLock) Run(context.Context)           {}
func (*RunLock) Close() error                  { return nil }
