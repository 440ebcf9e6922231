//go:build linux

package sidecar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// lockAgain is the pause between attempts at the signal directory's lock.
const lockAgain = 200 * time.Millisecond

// lock takes the signal directory's lock, which proves that no other sidecar writes there, of this election or another. It waits
// while another process has it, and logs that once. The hold is nil without a signal directory, or if ctx ends.
func (s *Sidecar) lock(ctx context.Context) (hold *elector.Hold, waited bool, err error) {
	if s.cfg.SignalDir == "" {
		return nil, false, nil
	}
	for {
		hold, err := elector.OpenHold(s.cfg.SignalDir)
		if err == nil {
			return hold, waited, nil
		}
		if !errors.Is(err, elector.ErrHeld) {
			return nil, false, &ResourceError{Field: "SignalDir", err: fmt.Errorf("%s: %w", s.cfg.SignalDir, err)}
		}
		if !waited {
			s.log.Warn("waiting for the sidecar that holds this signal directory to end: touching no file and binding no port until then",
				"reason", "SignalDirHeld", "signal_dir", s.cfg.SignalDir, "error", err)
		}
		waited = true
		if bootclock.Sleep(ctx, bootclock.System{}, lockAgain) != nil {
			return nil, waited, nil
		}
	}
}
