//go:build linux

package harness

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness/skew"
)

// ClockFile is the pair of clocks of a pretended machine, which a sidecar of SkewableBinary reads. What such a sidecar
// publishes in its files must be judged by the clocks of its machine, as its app would: see Leads.
type ClockFile struct {
	t    testing.TB
	path string

	mu   sync.Mutex
	skew skew.Skew
}

var _ bootclock.Clock = (*ClockFile)(nil)

// NewClockFile returns true clocks, to be set wrong.
func NewClockFile(t testing.TB) *ClockFile {
	t.Helper()
	c := &ClockFile{t: t, path: filepath.Join(t.TempDir(), "clock"), skew: skew.None()}
	c.set(func(s skew.Skew) skew.Skew { return s })
	return c
}

// Env is what a Sidecar's Env needs to run on this machine.
func (c *ClockFile) Env() string { return skew.Variable + "=" + c.path }

// Step sets the wall clock forward by d, or back where d is negative. A frozen one is set to that and runs again.
func (c *ClockFile) Step(d time.Duration) {
	c.set(func(s skew.Skew) skew.Skew {
		now := time.Now()
		s.WallOffset, s.WallFrozen = s.Wall(now).Sub(now.Round(0))+d, time.Time{}
		return s
	})
}

// FreezeWall lets the wall clock stand still.
func (c *ClockFile) FreezeWall() {
	c.set(func(s skew.Skew) skew.Skew {
		s.WallFrozen = s.Wall(time.Now())
		return s
	})
}

// Rate lets the boot clock run at another rate from now on; 1 is true.
func (c *ClockFile) Rate(rate float64) {
	c.set(func(s skew.Skew) skew.Skew { return s.WithRate(rate, int64(bootclock.System{}.Now())) })
}

func (c *ClockFile) set(change func(skew.Skew) skew.Skew) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skew = change(c.skew)
	if err := c.skew.Write(c.path); err != nil {
		c.t.Fatal(err)
	}
}

func (c *ClockFile) now() skew.Skew {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.skew
}

// Now reads the machine's boot clock.
func (c *ClockFile) Now() bootclock.Instant {
	return bootclock.Instant(c.now().Boot(int64(bootclock.System{}.Now())))
}

// Wall reads the machine's wall clock.
func (c *ClockFile) Wall() time.Time { return c.now().Wall(time.Now()) }

// NewTimer returns a timer that looks at this clock.
func (c *ClockFile) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

// True returns an instant of the machine's boot clock on the true one, which the witness reads.
func (c *ClockFile) True(at bootclock.Instant) bootclock.Instant {
	return bootclock.Instant(c.now().True(int64(at)))
}

// Leads returns what an app on the sidecar's machine knows that reads the document by its boot clock.
func (c *ClockFile) Leads(s *Sidecar) (bool, string) {
	l := s.State().At(c.Now())
	return l.IsLeader, l.Token
}

// AddOn watches a replica that runs on a machine with clocks of its own: by its document, and over HTTP. The leader
// file is not judged: its time is on the wall clock, and holds only as far as that one does.
func (w *Witness) AddOn(c *ClockFile, s *Sidecar) {
	w.AddChannel(s.Pod, "state", fileLook, func() (bool, string) { return c.Leads(s) })
	w.AddChannel(s.Pod, "http", httpLook, s.LeadsByHTTP)
}
