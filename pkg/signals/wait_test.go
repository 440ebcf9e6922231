package signals

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestWaitAppliedWaitsForEverySignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newScripted("slow", lasting(time.Second))
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			start := time.Now()
			if err := f.WaitApplied(t.Context()); err != nil || time.Since(start) != 0 {
				t.Errorf("WaitApplied before any leadership: %v after %s, want nil at once", err, time.Since(start))
			}
			f.Publish(standsBy())
			if err := f.WaitApplied(t.Context()); err != nil || time.Since(start) != time.Second {
				t.Errorf("WaitApplied: %v after %s, want nil after 1s", err, time.Since(start))
			}
		}, nil, required(slow, newScripted("quick", nil))...)
	})
}

func TestWaitAppliedCountsALeadershipPublishedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", hangingOnGain)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", time.Minute))
			waited := make(chan error, 1)
			go func() { waited <- f.WaitApplied(t.Context()) }()
			synctest.Wait()
			f.Publish(standsBy())
			if err := <-waited; err != nil {
				t.Errorf("WaitApplied: %v", err)
			}
		}, nil, required(s)...)
	})
}

func TestWaitAppliedNamesWhoIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := newScripted("fails", fails)
		hangs := newScripted("hangs", hanging)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err := f.WaitApplied(ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("WaitApplied: %v, want it to end with its context", err)
			}
			for _, want := range []string{"signal fails: disk full", "signal hangs: it has not answered yet"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("WaitApplied says %q, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "quick") {
				t.Errorf("WaitApplied says %q, which names a signal that is not behind", err)
			}
		}, nil, required(failing, hangs, newScripted("quick", nil))...)
	})
}

// failsAfter fails when d is over.
func failsAfter(d time.Duration) func(context.Context, leadership.Leadership) error {
	return func(context.Context, leadership.Leadership) error { time.Sleep(d); return errors.New("refused") }
}

func TestWaitAppliedFollowsThePolicies(t *testing.T) {
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		wait   Wait
		answer func(context.Context, leadership.Leadership) error
		want   time.Duration // how long it waits; the context ends after 1 s
		fails  bool
	}{
		"required":                   {Required(), lasting(300 * ms), 300 * ms, false},
		"the zero value is required": {Wait{}, lasting(300 * ms), 300 * ms, false},
		"required, and failing":      {Required(), fails, time.Second, true},
		"best effort":                {BestEffort(200 * ms), lasting(100 * ms), 100 * ms, false},
		"best effort, and failing":   {BestEffort(200 * ms), failsAfter(100 * ms), 100 * ms, false},
		"best effort, and slow":      {BestEffort(200 * ms), lasting(400 * ms), 200 * ms, false},
		"best effort beyond ctx":     {BestEffort(5 * time.Second), hanging, time.Second, false},
		"none":                       {NoWait(), lasting(400 * ms), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
					// The second time there is an answer to the one before.
					for round, l := range []leadership.Leadership{leads("5", time.Minute), standsBy()} {
						f.Publish(l)
						began := time.Now()
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						err := f.WaitApplied(ctx)
						cancel()
						if took := time.Since(began); took != tc.want || (err != nil) != tc.fails {
							t.Errorf("round %d: WaitApplied took %s and returned %v; want %s, an error: %v", round, took, err, tc.want, tc.fails)
						}
						time.Sleep(3 * time.Second) // whatever runs has ended
					}
				}, nil, Output{Signal: newScripted("s", tc.answer), Wait: tc.wait}, Output{Signal: newScripted("quick", nil)})
			})
		})
	}
}

// A remote output takes up each leadership when the local ones have tried it, whatever came of that, or 100 ms later.
func TestRemoteOutputsComeAfterTheLocalOnes(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(context.Context, leadership.Leadership) error
		want   time.Duration
	}{
		"applied": {lasting(30 * time.Millisecond), 30 * time.Millisecond},
		"failed":  {failsAfter(30 * time.Millisecond), 30 * time.Millisecond},
		"hanging": {hanging, remoteDelay},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				local, remote := newScripted("local", tc.answer), newScripted("remote", nil)
				fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
					for _, l := range []leadership.Leadership{leads("5", time.Minute), standsBy()} {
						published := time.Since(remote.start)
						f.Publish(l)
						time.Sleep(5 * time.Second)
						if at := remote.times(); len(at) == 0 || at[len(at)-1]-published != tc.want {
							t.Errorf("published at %s, applied remotely at %v; want %s between", published, at, tc.want)
						}
					}
				}, nil, Output{Signal: remote, Remote: true}, Output{Signal: local})
				wantApplied(t, remote, "leader 5", "standby")
			})
		})
	}
}

// A loss that comes while a remote output waits for its turn is the only one that it applies, also at the end.
func TestRemoteOutputsSkipToTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local, remote := newScripted("local", hangingOnGain), newScripted("remote", nil)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", time.Minute))
			time.Sleep(remoteDelay / 2)
			f.Publish(standsBy())
			synctest.Wait()
			wantApplied(t, remote, "standby")
			f.Publish(leads("6", time.Minute))
			time.Sleep(remoteDelay / 2)
		}, nil, Output{Signal: remote, Remote: true}, Output{Signal: local})
		wantApplied(t, remote, "standby", "leader 6")
	})
}

func TestWaitLocalLeavesRemoteOutputsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote, local := newScripted("remote", fails), newScripted("local", lasting(time.Second))
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			began := time.Now()
			if err := f.WaitLocal(t.Context()); err != nil || time.Since(began) != time.Second {
				t.Errorf("WaitLocal: %v after %s, want nil after 1s", err, time.Since(began))
			}
		}, nil, Output{Signal: remote, Remote: true}, Output{Signal: local})
	})
}
