package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// errEnough ends Follow once the wanted leadership has come.
var errEnough = errors.New("seen enough")

// askAgain is the first pause before asking again a sidecar that is not up or has no free event stream. The pause doubles up
// to askLast, as many may wait for one sidecar.
const askAgain, askLast = 200 * time.Millisecond, time.Second

// WaitUntil follows the sidecar until wanted returns true. Without an event stream it asks repeatedly for the document.
// If ctx ends first, it returns ctx's cause, and why the sidecar could not be asked, if so. An answer of another pod's
// sidecar ends the wait with [ErrOtherPod].
func (s *Sidecar) WaitUntil(ctx context.Context, wanted func(leadership.Leadership) bool) error {
	for pause := askAgain; ; pause = min(2*pause, askLast) {
		err := s.Follow(ctx, func(l leadership.Leadership) error {
			pause = askAgain // a stream that stood is reopened soon
			if wanted(l) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) && !errors.Is(err, ErrOtherPod) && ctx.Err() == nil {
			var l leadership.Leadership
			if l, err = s.Leadership(ctx); err == nil && wanted(l) {
				return nil
			}
		}
		switch {
		case errors.Is(err, errEnough):
			return nil
		case errors.Is(err, ErrOtherPod):
			return err
		}
		if bootclock.Sleep(ctx, bootclock.System{}, pause) == nil {
			continue
		}
		if err != nil && !errors.Is(err, ctx.Err()) && !errors.Is(err, context.Cause(ctx)) { // an error that says more
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return context.Cause(ctx)
	}
}
