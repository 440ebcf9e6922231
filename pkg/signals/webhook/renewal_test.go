package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// A webhook that answers 500 is called at its own pace while the term is renewed, not once more for each renewal.
func TestRenewalsDoNotSpeedUpAWebhookThatFails(t *testing.T) {
	const renewals = 20
	address, told := serve(t, status(http.StatusInternalServerError))
	hook := newSignal(t, address, "2xx")
	hook.cfg.Clock = bootclock.System{}
	fanOut := signals.NewFanOut(slog.New(slog.DiscardHandler), bootclock.System{}, nil, signals.Output{Signal: hook})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { fanOut.Run(ctx) })
	for range renewals {
		l := leads("7", 0)
		l.ValidUntil = bootclock.System{}.Now().Add(time.Minute)
		fanOut.Publish(l)
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	running.Wait()
	// 50, 100, 200 and 400 ms lie between the attempts of the first second. One more is made at the end.
	if calls := len(told()); calls == 0 || calls > 8 {
		t.Errorf("%d calls during %d renewals; want at least one, and at most 8", calls, renewals)
	}
}
