//go:build !linux

package processes

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// Config is as on Linux.
type Config struct {
	// Except are names of programs to leave out.
	Except []string
	// Log takes nothing here.
	Log *slog.Logger
}

// Processes is there on Linux only.
type Processes struct{}

var _ sight.Sight = (*Processes)(nil)

// CheckNamespace fails.
func CheckNamespace() error { return errors.New("processes are seen on Linux only") }

// New returns a sight of nothing.
func New(Config) *Processes { return &Processes{} }

// Name returns "processes".
func (*Processes) Name() string { return "processes" }

// Kills returns false.
func (*Processes) Kills() bool { return false }

// State returns Unknown.
func (*Processes) State(bool) sight.State { return sight.Unknown }

// Watch returns at once.
func (*Processes) Watch(context.Context, func()) {}
