package main

import (
	"context"
	"log/slog"
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

// Memory is let go of after something has happened, and never else: what nobody asks for must not cost anything.
func TestNothingIsLetGoOfWhileNothingHappens(t *testing.T) {
	minute := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
	for name, tc := range map[string]struct {
		happens func(l *light)
		want    []time.Duration
	}{
		"nothing": {func(*light) { time.Sleep(10 * time.Hour) }, []time.Duration{0, minute(1)}},
		"a handover": {func(l *light) {
			time.Sleep(time.Hour)
			l.changed()
			time.Sleep(time.Second)
			l.changed()
			time.Sleep(time.Hour)
		}, []time.Duration{0, minute(1), minute(60) + lightChange}},
		"one scrape": {func(l *light) {
			time.Sleep(time.Hour)
			l.scraped()
			time.Sleep(time.Hour)
		}, []time.Duration{0, minute(1), minute(60) + lightChange}},
		"scrapes all the time, and a handover": {func(l *light) {
			for i := range 4 * 12 {
				time.Sleep(15 * time.Second)
				l.scraped()
				if i == 4*7-1 {
					l.changed()
				}
			}
		}, []time.Duration{0, minute(1), minute(6), minute(7) + lightChange}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []time.Duration
				start := time.Now()
				l := newLight(bubbleClock{})
				l.shed = func() error { got = append(got, time.Since(start)); return nil }
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); l.run(ctx, slog.New(slog.DiscardHandler)) }()
				tc.happens(l)
				cancel()
				<-ended
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("when memory was let go of (-want +got):\n%s", diff)
				}
			})
		})
	}
}
