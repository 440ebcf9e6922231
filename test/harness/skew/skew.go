// Package skew says how the clocks of a pretended machine differ from the true ones. The harness writes it down in a
// file, and a sidecar that was built for it reads its clocks through that file; see harness.SkewableBinary.
//
// It promises that both sides reckon alike, as they share this code. It does not promise a clock of its own: timers
// of the process run on the true one.
package skew

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Variable is the environment variable that names the file. A process without it has the true clocks.
const Variable = "SKEWED_CLOCK_FILE"

// Skew maps the true clocks to the machine's. The zero value is of no use: see None.
type Skew struct {
	// TrueAnchor and BootAnchor are one instant on the true boot clock and on the machine's, in nanoseconds.
	TrueAnchor, BootAnchor int64
	// Rate is how fast the machine's boot clock runs: 1.01 is one percent too fast.
	Rate float64
	// WallOffset is how far the machine's wall clock is ahead of the true one.
	WallOffset time.Duration
	// WallFrozen is where the machine's wall clock stands still; the zero time while it runs.
	WallFrozen time.Time
}

// None returns true clocks.
func None() Skew { return Skew{Rate: 1} }

// Boot returns what the machine's boot clock shows when the true one shows at, in nanoseconds.
func (s Skew) Boot(at int64) int64 {
	return s.BootAnchor + int64(float64(at-s.TrueAnchor)*s.Rate)
}

// True returns what the true boot clock shows when the machine's shows at, in nanoseconds.
func (s Skew) True(at int64) int64 {
	return s.TrueAnchor + int64(float64(at-s.BootAnchor)/s.Rate)
}

// Wall returns what the machine's wall clock shows when the true one shows at.
func (s Skew) Wall(at time.Time) time.Time {
	if !s.WallFrozen.IsZero() {
		return s.WallFrozen
	}
	return at.Round(0).Add(s.WallOffset)
}

// WithRate returns s with another rate from the true instant at on, in nanoseconds. The clock does not jump.
func (s Skew) WithRate(rate float64, at int64) Skew {
	s.TrueAnchor, s.BootAnchor, s.Rate = at, s.Boot(at), rate
	return s
}

// Read reads the skew at path.
func Read(path string) (Skew, error) {
	var s Skew
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return Skew{}, fmt.Errorf("read the machine's clocks: %w", err)
	}
	return s, nil
}

// Write puts s at path, never half.
func (s Skew) Write(path string) error {
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("set the machine's clocks: %w", err)
	}
	return nil
}

// OfProcess returns the skew of the process that asks. It panics where the file is named and cannot be read, as a
// test would go on without the fault that it is about.
func OfProcess() Skew {
	path := os.Getenv(Variable)
	if path == "" {
		return None()
	}
	s, err := Read(path)
	if err != nil {
		panic(err)
	}
	return s
}
