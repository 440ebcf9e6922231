//go:build linux

package footprint

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// bubbleClock is the boot clock of a synctest bubble.
type bubbleClock struct{}

func (bubbleClock) Now() bootclock.Instant      { return bootclock.Instant(time.Now().UnixNano()) }
func (bubbleClock) Wall() time.Time             { return time.Now() }
func (c bubbleClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 24*time.Hour) }

// Memory is let go of after something has happened, and else only so often that the runtime does not collect by itself.
func TestLittleIsLetGoOfWhileNothingHappens(t *testing.T) {
	minute := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
	for name, tc := range map[string]struct {
		happens func(l *Light)
		want    []time.Duration
	}{
		"nothing": {
			func(*Light) { time.Sleep(5 * time.Minute) },
			[]time.Duration{0, minute(1), minute(1) + lightIdle, minute(1) + 2*lightIdle},
		},
		"a handover": {func(l *Light) {
			time.Sleep(minute(1.5))
			l.Changed()
			time.Sleep(time.Second)
			l.Changed()
			time.Sleep(minute(3))
		}, []time.Duration{0, minute(1), minute(1.5) + time.Second + lightChange, minute(1.5) + time.Second + lightChange + lightIdle}},
		"one scrape": {func(l *Light) {
			time.Sleep(minute(1.5))
			l.Scraped()
			time.Sleep(minute(1))
		}, []time.Duration{0, minute(1), minute(2)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, letGoDuring(t, tc.happens)); diff != "" {
				t.Errorf("when memory was let go of (-want +got):\n%s", diff)
			}
		})
	}
}

// Prometheus comes for ever: that has memory let go of once a minute at most, and does not put off what a handover needs.
func TestScrapesHaveLittleLetGoOf(t *testing.T) {
	const handover = 7*time.Minute + 3*time.Second
	got := letGoDuring(t, func(l *Light) {
		handovers := time.AfterFunc(handover, l.Changed)
		defer handovers.Stop()
		for range 12 * 4 {
			time.Sleep(15 * time.Second)
			l.Scraped()
		}
	})
	if n := len(got); n < 11 || n > 15 {
		t.Errorf("memory was let go of %d times in 12 minutes of scrapes; want about 13", n)
	}
	if !slices.Contains(got, handover+lightChange) {
		t.Errorf("memory was not let go of after the handover: %v", got)
	}
}

// letGoDuring returns when memory was let go of, since the start, while something happens in virtual time.
func letGoDuring(t *testing.T, happens func(l *Light)) (got []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := New(bubbleClock{})
		l.shed = func() error { got = append(got, time.Since(start)); return nil }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); l.Run(ctx, slog.New(slog.DiscardHandler)) }()
		happens(l)
		cancel()
		<-ended
	})
	return got
}
