//go:build !linux

package child

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Election is what the end of the command commands.
type Election interface {
	StepDown(cause string) error
	SetHealthy(healthy bool, why string)
}

// Config says what to run.
type Config struct {
	Command                 []string
	KillMargin, StopTimeout time.Duration
	Clock                   bootclock.Clock
	Election                Election
	Exit                    func(cause error)
	Log                     *slog.Logger
}

// Child is there on Linux only.
type Child struct{ sight.Sight }

// New fails.
func New(Config) (*Child, error) { return nil, errors.New("a command is run on Linux only") }

// Name returns "child".
func (*Child) Name() string { return "child" }

// Apply does nothing.
func (*Child) Apply(context.Context, leadership.Leadership) error { return nil }

// Run does nothing.
func (*Child) Run(context.Context) {}

// Status returns 0.
func (*Child) Status() int { return 0 }

// Abandon does nothing.
func (*Child) Abandon() {}

// Close does nothing.
func (*Child) Close() error { return nil }
