//go:build !linux

package process

import (
	"context"
	"errors"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

var errUnsupported = errors.New("process signals work on Linux only")

// Process needs Linux.
type Process struct{}

var _ signals.Signal = (*Process)(nil)

// New fails: a process is held by a pidfd, which only Linux has.
func New(Config) (*Process, error) { return nil, errUnsupported }

// Name returns "process".
func (*Process) Name() string { return "process" }

// Apply fails.
func (*Process) Apply(context.Context, leadership.Leadership) error { return errUnsupported }

// Run fails.
func (*Process) Run(context.Context) error { return errUnsupported }

// State returns Unknown.
func (*Process) State(bool) sight.State { return sight.Unknown }

// Kills returns false.
func (*Process) Kills() bool { return false }

// Watch waits for ctx.
func (*Process) Watch(ctx context.Context, _ func()) { <-ctx.Done() }

// Finish does nothing.
func (*Process) Finish(context.Context) {}

// Close does nothing.
func (*Process) Close() error { return nil }
