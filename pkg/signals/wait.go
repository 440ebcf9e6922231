package signals

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"
)

// WaitApplied returns nil once every output has met its [Wait] policy for the leadership that is newest at the call, or a
// newer one. It returns at once if nothing was published. If ctx ends first, the error names each required output that is
// behind, with its last failure.
func (f *FanOut) WaitApplied(ctx context.Context) error { return f.wait(ctx, true) }

// WaitLocal is WaitApplied for local outputs. The start of the workload uses it, as it must not depend on a network.
func (f *FanOut) WaitLocal(ctx context.Context) error { return f.wait(ctx, false) }

func (f *FanOut) wait(ctx context.Context, remote bool) error {
	f.mu.Lock()
	want := f.serial
	f.mu.Unlock()
	began := time.Now()
	for {
		behind, rest, progress := f.behind(want, remote, time.Since(began))
		if behind == nil && rest <= 0 {
			return nil
		}
		var over <-chan time.Time
		if rest > 0 {
			over = time.After(rest)
		}
		select {
		case <-progress:
		case <-over:
		case <-ctx.Done():
			if behind == nil {
				return nil
			}
			return multierror.Append(behind, context.Cause(ctx)).ErrorOrNil()
		}
	}
}

// behind returns an error for each required lane that has not applied the leadership with that serial number; how much
// longer to wait for optional lanes that have not tried it; and a channel that closes when either may have changed.
func (f *FanOut) behind(serial uint64, remote bool, waited time.Duration) (late *multierror.Error, rest time.Duration, progress <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.lanes {
		switch {
		case n.Remote && !remote, n.applied >= serial:
		case n.Wait.optional:
			if n.tried < serial {
				rest = max(rest, n.Wait.bound-waited)
			}
		case n.failure != nil:
			late = multierror.Append(late, fmt.Errorf("apply signal %s: %w", n.Signal.Name(), n.failure))
		default:
			late = multierror.Append(late, fmt.Errorf("apply signal %s: it has not answered yet", n.Signal.Name()))
		}
	}
	return late, rest, f.progress
}
