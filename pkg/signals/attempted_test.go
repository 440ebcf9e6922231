package signals

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// A signal that fails, or has failed, is waited for no longer than its first attempt at the newest level.
func TestAttempted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := newScripted("failing", func(context.Context, leadership.Leadership) error {
			time.Sleep(100 * time.Millisecond)
			return errors.New("refused")
		})
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			if err := f.Attempted(t.Context()); err != nil {
				t.Errorf("Attempted before the first level: %v, want nil", err)
			}
			f.Publish(leads("5", 10*time.Second))
			synctest.Wait()
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := f.Attempted(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Attempted during the attempt: %v, want that the time is over", err)
			}
			for range 2 { // the second time with a failure of before
				f.Publish(standsBy())
				began := time.Now()
				if err := f.Attempted(t.Context()); err != nil {
					t.Errorf("Attempted: %v, want nil", err)
				}
				if took := time.Since(began); took < 100*time.Millisecond || took > 300*time.Millisecond {
					t.Errorf("Attempted took %v, want one attempt at this level", took)
				}
			}
		}, nil, failing)
	})
}
