//go:build !linux

package elector

import "github.com/lease-sidecar/lease-sidecar/pkg/bootclock"

// Hold is not to be had on this operating system: see [OpenHold].
type Hold struct{}

// OpenHold returns [bootclock.ErrUnsupported].
func OpenHold(string, string) (*Hold, error) { return nil, bootclock.ErrUnsupported }

// Load answers false.
func (*Hold) Load(HoldKey, bootclock.Instant, bootclock.Instant) (HoldState, bool) {
	return HoldState{}, false
}

// Save returns [bootclock.ErrUnsupported].
func (*Hold) Save(HoldKey, HoldState) error { return bootclock.ErrUnsupported }

// Close does nothing.
func (*Hold) Close() error { return nil }
