package runlock

import (
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Config says where the lock is; all of it is required.
type Config struct {
	// Dir is the signal directory, which must exist.
	Dir string
	// Clock judges levels.
	Clock bootclock.Clock
	// Ended is told that the lock's last holder has gone while this replica leads. It may block for a while.
	Ended func()
	// Log takes who came and went (Info), and what cannot be seen (Warn, when it changes).
	Log *slog.Logger
}
