package signals

import "context"

// Attempted returns nil once every signal has tried a level at least as new as the newest at the call, well or not. It
// is for signals that are worth a moment but not a wait: one that fails holds up nobody. It returns ctx's cause when
// ctx ends first.
func (f *FanOut) Attempted(ctx context.Context) error {
	f.mu.Lock()
	want := f.serial
	f.mu.Unlock()
	for {
		done, progress := f.attempted(want)
		if done {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// attempted reports whether every lane has tried the level with that serial number, or a newer one, and a channel that
// closes when that may have changed.
func (f *FanOut) attempted(serial uint64) (bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.lanes {
		if n.tried < serial {
			return false, f.progress
		}
	}
	return true, nil
}
