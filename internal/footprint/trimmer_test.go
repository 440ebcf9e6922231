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

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
)

// Memory is given back after something has happened, and else only so often that the runtime does not collect by itself.
func TestTrimsAreRareWhileNothingHappens(t *testing.T) {
	minute := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
	for name, tc := range map[string]struct {
		happens func(m *Trimmer)
		want    []time.Duration
	}{
		"nothing": {
			func(*Trimmer) { time.Sleep(5 * time.Minute) },
			[]time.Duration{0, minute(1), minute(1) + idlePause, minute(1) + 2*idlePause},
		},
		"a handover": {func(m *Trimmer) {
			time.Sleep(minute(1.5))
			m.Changed()
			time.Sleep(time.Second)
			m.Changed()
			time.Sleep(minute(3))
		}, []time.Duration{0, minute(1), minute(1.5) + time.Second + changePause, minute(1.5) + time.Second + changePause + idlePause}},
		"one scrape": {func(m *Trimmer) {
			time.Sleep(minute(1.5))
			m.scraped()
			time.Sleep(minute(1))
		}, []time.Duration{0, minute(1), minute(2)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, trimsDuring(t, tc.happens)); diff != "" {
				t.Errorf("when memory was given back (-want +got):\n%s", diff)
			}
		})
	}
}

// Prometheus scrapes for ever: that has memory given back once a minute at most, and does not put off the trim after a handover.
func TestScrapesTrimOnceAMinute(t *testing.T) {
	const handover = 7*time.Minute + 3*time.Second
	got := trimsDuring(t, func(m *Trimmer) {
		handovers := time.AfterFunc(handover, m.Changed)
		defer handovers.Stop()
		for range 12 * 4 {
			time.Sleep(15 * time.Second)
			m.scraped()
		}
	})
	if n := len(got); n < 11 || n > 15 {
		t.Errorf("memory was given back %d times in 12 minutes of scrapes; want about 13", n)
	}
	if !slices.Contains(got, handover+changePause) {
		t.Errorf("memory was not given back after the handover: %v", got)
	}
}

// trimsDuring returns when memory was given back, since the start, while something happens in virtual time.
func trimsDuring(t *testing.T, happens func(m *Trimmer)) (got []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m := New(clocktest.Bubble{})
		m.trim = func() error { got = append(got, time.Since(start)); return nil }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); m.Run(ctx, slog.New(slog.DiscardHandler)) }()
		happens(m)
		cancel()
		<-ended
	})
	return got
}
