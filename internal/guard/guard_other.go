//go:build !linux

package guard

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// ErrUnsupported is returned by everything where there is no boot clock, pidfd or subreaper.
var ErrUnsupported = errors.New("no guard on this operating system: run the sidecar on Linux")

// ErrGone is returned for orders to a guard that has ended.
var ErrGone = ErrUnsupported

// Guard is never made here.
type Guard struct{}

// Config says what a guard is for.
type Config struct {
	// Command is the program and its arguments.
	Command []string
	// Heard takes every report.
	Heard func(Report)
}

// Start returns [ErrUnsupported].
func Start(Config) (*Guard, error) { return nil, ErrUnsupported }

// Main returns [ErrUnsupported].
func Main([]string, io.Reader, io.Writer) error { return ErrUnsupported }

// PID returns 0.
func (*Guard) PID() int { return 0 }

// Done returns nil.
func (*Guard) Done() <-chan struct{} { return nil }

// Run returns [ErrUnsupported].
func (*Guard) Run(Term) (uint64, error) { return 0, ErrUnsupported }

// Stop returns [ErrUnsupported].
func (*Guard) Stop(string, bootclock.Instant) (uint64, error) { return 0, ErrUnsupported }

// Forward returns [ErrUnsupported].
func (*Guard) Forward(syscall.Signal) error { return ErrUnsupported }

// Arm returns [ErrUnsupported].
func (*Guard) Arm(procfs.Order) error { return ErrUnsupported }

// Disarm returns [ErrUnsupported].
func (*Guard) Disarm() error { return ErrUnsupported }

// Kill does nothing.
func (*Guard) Kill() {}

// Close returns [ErrUnsupported].
func (*Guard) Close() error { return ErrUnsupported }

// Subreaper returns [ErrUnsupported].
func Subreaper() error { return ErrUnsupported }

// Sweep returns [ErrUnsupported].
func Sweep(context.Context) error { return ErrUnsupported }

// Reap does nothing.
func Reap(context.Context) {}
