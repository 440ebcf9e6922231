package elector

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// TestDeadWatchIsFoundOut: a standby whose requests for a watch were lost for a while sees, by the reads that it does instead,
// that a watch would have shown it more. It does not take the time between its own reads for the holder's interval, and go on
// for ever by a failed take and a read in each lease duration.
func TestDeadWatchIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		f.members = append(f.members, f.join("web-0_a", func(c *Config, _ *parts) {
			c.Duration, c.RenewDeadline, c.RenewInterval = 5*time.Second, 3333*time.Millisecond, time.Second
		}))
		f.leader(20 * time.Second)
		standby := f.join("web-1_b", func(c *Config, _ *parts) {
			c.Duration, c.RenewDeadline, c.RenewInterval = 5*time.Second, 3333*time.Millisecond, time.Second
		})
		f.members = append(f.members, standby)
		time.Sleep(10 * time.Second)

		var count meter
		count.take()
		cut := time.Now().Add(12 * time.Second)
		standby.store.Faults(count.through(func(q memory.Request) memory.Fate {
			return memory.Fate{Lost: q.Verb == memory.Watch && time.Now().Before(cut)}
		}))
		standby.store.BreakWatches(errors.New("connection reset"))
		time.Sleep(time.Minute)
		count.take()
		time.Sleep(time.Minute)
		if n := count.take(); n > 0 {
			t.Errorf("a standby on a healthy line sent %d requests in a minute, want none: its watch is dead, and it does not know", n)
		}
	})
}
