//go:build linux

package sidecar

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// TestStartedWhileADocumentStands: the process before has left a document whose term runs, and the Lease cannot be read.
// The election publishes nothing then, and the workload may start all the same: the state is written.
func TestStartedWhileADocumentStands(t *testing.T) {
	for _, stands := range []bool{true, false} {
		a := &assembly{
			kit: &kit{log: slog.New(slog.DiscardHandler)}, first: make(chan struct{}),
			fanOut:  signals.NewFanOut(slog.New(slog.DiscardHandler), bootclock.System{}, nil),
			trimmer: footprint.New(bootclock.System{}),
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			a.awaitStart(ctx, stands)
		}()
		for end := time.Now().Add(10 * time.Second); stands && !a.started.Load() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if !stands {
			time.Sleep(50 * time.Millisecond)
		}
		if a.started.Load() != stands {
			t.Errorf("a document stands: %v; started: %v", stands, a.started.Load())
		}
		cancel()
		<-ended
	}
}
