package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// errEnough ends the following of a sidecar that has said what was waited for.
var errEnough = errors.New("seen enough")

// askAgain is the pause before a sidecar that is not up yet, or has no event stream to give, is asked again. It doubles up
// to askLast: many may wait for one sidecar.
const askAgain, askLast = 200 * time.Millisecond, time.Second

// WaitUntil follows the sidecar until it says what is wanted. Where it gives no event stream, or the stream ends, it is asked
// for the document now and then. When ctx ends first it returns ctx's cause, and why the sidecar could not be asked, where
// that was so. Another pod's sidecar ends the wait
// with [ErrOtherPod].
func (s *Sidecar) WaitUntil(ctx context.Context, wanted func(leadership.Leadership) bool) error {
	for pause := askAgain; ; pause = min(2*pause, askLast) {
		err := s.Follow(ctx, func(l leadership.Leadership) error {
			pause = askAgain // a stream that stood is opened anew soon
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
		if err != nil && !errors.Is(err, ctx.Err()) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return context.Cause(ctx)
	}
}
