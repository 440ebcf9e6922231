package stopwait

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// eye is a sight that sees what its script says: the state from each time after the test's begin on.
type eye struct {
	name   string
	begin  time.Time
	script []step
	kills  bool
	ending []step // in place of script where the pod is to end; nil: as script
}

type step struct {
	from time.Duration
	sees sight.State
}

var _ sight.Sight = (*eye)(nil)

func (e *eye) Name() string { return e.name }
func (e *eye) Kills() bool  { return e.kills }

func (e *eye) State(ending bool) (s sight.State) {
	script := e.script
	if ending && e.ending != nil {
		script = e.ending
	}
	for _, one := range script {
		if time.Since(e.begin) >= one.from {
			s = one.sees
		}
	}
	return s
}

func (e *eye) Watch(ctx context.Context, changed func()) {
	for _, one := range slices.Concat(e.script, e.ending) {
		timer := time.AfterFunc(time.Until(e.begin.Add(one.from)), changed)
		defer timer.Stop()
	}
	<-ctx.Done()
}

const (
	unknown = sight.Unknown
	running = sight.Running
	stopped = sight.Stopped
)

// TestRule: the waits of one drain that begins at 0, whose last published validUntil lies at 10 s. The stop timeout is
// 30 s, the kill margin 3 s. Times are between the steps of lookAgain where only an event can be so quick.
func TestRule(t *testing.T) {
	const never, failed = time.Duration(-1), time.Duration(-2)
	after := func(d time.Duration, s sight.State) []step { return []step{{0, running}, {d, s}} }
	blind := []step{{0, unknown}}
	for _, c := range []struct {
		name         string
		sights       []*eye
		applied      time.Duration // when the signals are; never: the fan-out has an error when the wait ends; failed: at once
		reported     time.Duration // when the workload reports; 0: it does not
		drainTimeout time.Duration
		terminating  bool
		want         time.Duration
		because      string
		outcome      elector.Outcome // zero: WorkloadStopped
	}{
		{name: "nobody sees", want: 10 * time.Second, because: "validUntil"},
		{name: "nobody sees, terminating", terminating: true, want: 10 * time.Second, because: "validUntil"},
		{name: "nobody sees, and something kills", sights: []*eye{{name: "process", script: blind, kills: true}}, want: 13 * time.Second, because: "kill deadline"},
		{name: "nobody sees it any more, and something kills", sights: []*eye{{name: "process", script: after(2050*time.Millisecond, unknown), kills: true}}, want: 33 * time.Second, because: "kill deadline"},
		{name: "seen to stop", sights: []*eye{{name: "child", script: after(2050*time.Millisecond, stopped)}}, want: 2050 * time.Millisecond, because: "(child)"},
		{name: "seen to stop past validUntil", sights: []*eye{{name: "child", script: after(25050*time.Millisecond, stopped)}}, want: 25050 * time.Millisecond, because: "(child)"},
		{
			name:   "one sees it run, another sees it stop",
			sights: []*eye{{name: "health", script: []step{{0, stopped}}}, {name: "process", script: after(4050*time.Millisecond, stopped)}},
			want:   4050 * time.Millisecond, because: "(health)",
		},
		{
			name:   "one sees it run past validUntil, another knows nothing",
			sights: []*eye{{name: "process", script: after(12050*time.Millisecond, unknown)}, {name: "health", script: blind}},
			want:   12050 * time.Millisecond, because: "validUntil",
		},
		{name: "running, and reported", sights: []*eye{{name: "child", script: after(5050*time.Millisecond, unknown)}}, reported: time.Second, want: 5050 * time.Millisecond, because: "reported"},
		{name: "running, and promised", sights: []*eye{{name: "child", script: after(5050*time.Millisecond, unknown)}}, drainTimeout: 3 * time.Second, want: 5050 * time.Millisecond, because: "drain timeout"},
		{name: "running for ever, no fence", sights: []*eye{{name: "lock", script: []step{{0, running}}}}, reported: time.Second, drainTimeout: time.Second, want: 30 * time.Second, outcome: elector.Abandoned},
		{name: "running for ever, with a fence", sights: []*eye{{name: "child", script: []step{{0, running}}, kills: true}}, want: 33 * time.Second, outcome: elector.Abandoned},
		{name: "running beside what kills", sights: []*eye{{name: "lock", script: []step{{0, running}}}, {name: "child", script: []step{{0, stopped}}, kills: true}}, want: 33 * time.Second, outcome: elector.Abandoned},
		{name: "seen to stop before the signals are applied", sights: []*eye{{name: "child", script: []step{{0, stopped}}}}, applied: 2050 * time.Millisecond, want: 2050 * time.Millisecond, because: "(child)"},
		{name: "stopped, but the signals are never applied", sights: []*eye{{name: "child", script: []step{{0, stopped}}}}, applied: never, reported: time.Second, drainTimeout: time.Second, want: 10 * time.Second, because: "validUntil"},
		{name: "stopped, but the signals fail", sights: []*eye{{name: "child", script: []step{{0, stopped}}}}, applied: failed, drainTimeout: time.Second, want: 10 * time.Second, because: "validUntil"},
		{name: "running, and the signals are never applied", sights: []*eye{{name: "child", script: []step{{0, running}}}}, applied: never, want: 30 * time.Second, outcome: elector.Abandoned},
		{name: "reported", reported: 1050 * time.Millisecond, want: 1050 * time.Millisecond, because: "reported"},
		{name: "reported before the signals are applied", applied: 2 * time.Second, reported: time.Second, want: 2 * time.Second, because: "reported"},
		{name: "the drain timeout", drainTimeout: 3 * time.Second, want: 3 * time.Second, because: "drain timeout"},
		{name: "the drain timeout counts from the signals", applied: 4 * time.Second, drainTimeout: 3 * time.Second, want: 7 * time.Second, because: "drain timeout"},
		{name: "a drain timeout past validUntil", drainTimeout: time.Minute, want: 10 * time.Second, because: "validUntil"},
		{
			name:   "a process that lives on as a standby",
			sights: []*eye{{name: "process", script: blind, ending: after(3050*time.Millisecond, stopped)}}, want: 10 * time.Second, because: "validUntil",
		},
		{
			name:   "a process that must go with its pod",
			sights: []*eye{{name: "process", script: blind, ending: after(12050*time.Millisecond, stopped)}}, terminating: true,
			want: 12050 * time.Millisecond, because: "(process)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				begin := time.Now()
				var sights []sight.Sight
				for _, s := range c.sights {
					s.begin = begin
					sights = append(sights, s)
				}
				var abandoned [][]string
				w := New(Config{
					Clock: clocktest.Bubble{}, StopTimeout: 30 * time.Second, DrainTimeout: c.drainTimeout, KillMargin: 3 * time.Second,
					Sights: sights, Log: slog.New(slog.NewTextHandler(&log, nil)),
					Abandoned: func(_ elector.Drain, running []string) { abandoned = append(abandoned, running) },
					Applied: func(ctx context.Context) error {
						switch c.applied {
						case never:
							<-ctx.Done()
							return ctx.Err()
						case failed:
							return errors.New("the fan-out has ended") // some reader may still see "leader"
						}
						select {
						case <-time.After(c.applied):
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					},
				})
				l := leadershiptest.Draining(clocktest.Bubble{})
				if c.reported > 0 {
					time.AfterFunc(c.reported, func() {
						if err := w.Drained(l, ""); err != nil {
							t.Errorf("Drained: %v", err)
						}
					})
				}
				d := drain("7")
				d.Terminating = c.terminating
				got, want := w.Wait(t.Context(), d), cmp.Or(c.outcome, elector.WorkloadStopped)
				if took := time.Since(begin).Truncate(time.Millisecond); got != want || took != c.want {
					t.Errorf("outcome %d after %s, want %d after %s", got, took, want, c.want)
				}
				if got := log.String(); !strings.Contains(got, c.because) || (want == elector.Abandoned) != strings.Contains(got, "reason=DrainAbandoned") {
					t.Errorf("logged %q, want %q", got, c.because)
				}
				if (want == elector.Abandoned) != (len(abandoned) == 1) {
					t.Errorf("abandoned was called with %v", abandoned)
				}
			})
		})
	}
}

func applyAtOnce(context.Context) error { return nil }

// waiter returns a waiter of a bubble whose signals are applied at once.
func waiter(sights ...sight.Sight) *Waiter {
	return New(Config{
		Clock: clocktest.Bubble{}, Applied: applyAtOnce, StopTimeout: 30 * time.Second, KillMargin: 3 * time.Second, Sights: sights, Log: quiet,
	})
}

// drain returns the drain of a term that begins now, and whose last published validUntil lies 10 s ahead.
func drain(token string) elector.Drain {
	now := clocktest.Bubble{}.Now()
	return elector.Drain{Cause: "test", Began: now, Until: now.Add(10 * time.Second), Token: token}
}

// TestWaitIsAskedAnew: when the process is to terminate, another wait takes the place of the first. The time of the drain's
// begin stands, and so do the report and the time of the signals.
func TestWaitIsAskedAnew(t *testing.T) {
	for _, c := range []struct {
		name         string
		running      bool
		reported     bool
		drainTimeout time.Duration
		want         time.Duration
		outcome      elector.Outcome
	}{
		{"stop timeout", true, false, 0, 30 * time.Second, elector.Abandoned},
		{"drain timeout", false, false, 8 * time.Second, 8 * time.Second, elector.WorkloadStopped},
		{"report", false, true, 0, 5 * time.Second, elector.WorkloadStopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				e := &eye{name: "lock", begin: begin, script: []step{{0, unknown}}}
				if c.running {
					e.script[0].sees = running
				}
				w, d := waiter(e), drain("7")
				w.cfg.DrainTimeout = c.drainTimeout
				first, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if c.reported {
					time.AfterFunc(5*time.Second-1, func() { cancel(); _ = w.Drained(leadershiptest.Draining(clocktest.Bubble{}), "7") })
				}
				if got := w.Wait(first, d); got != 0 {
					t.Fatalf("outcome %d of a wait that was called off, want 0", got)
				}
				d.Terminating = true
				got := w.Wait(t.Context(), d)
				if took := time.Since(begin).Round(time.Millisecond); got != c.outcome || took != c.want {
					t.Errorf("outcome %d at %s, want %d at %s", got, took, c.outcome, c.want)
				}
			})
		})
	}
}

// TestWaitSeesAJumpOfTheClock: after a suspend the boot clock is far ahead.
func TestWaitSeesAJumpOfTheClock(t *testing.T) {
	clock := clocktest.NewHand()
	w := New(Config{Clock: clock, Applied: applyAtOnce, StopTimeout: 30 * time.Second, Log: quiet})
	time.AfterFunc(50*time.Millisecond, func() { clock.Advance(time.Hour) })
	if got := w.Wait(t.Context(), elector.Drain{Began: clock.Now(), Until: clock.Now().Add(time.Minute)}); got != elector.WorkloadStopped {
		t.Errorf("outcome %d", got)
	}
}

// lingering is a sight whose Watch takes its time to leave.
type lingering struct {
	eye
	left bool
}

func (l *lingering) Watch(ctx context.Context, changed func()) {
	l.eye.Watch(ctx, changed)
	time.Sleep(time.Second)
	l.left = true
}

// TestWaitJoinsItsSights: none goes on looking for a handover that is over.
func TestWaitJoinsItsSights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &lingering{eye: eye{name: "slow", begin: time.Now(), script: []step{{0, stopped}}}}
		waiter(slow).Wait(t.Context(), drain("7"))
		if !slow.left {
			t.Error("the wait has returned, and a sight still looks")
		}
	})
}

// TestBlindInTheDrainThatFollows: a workload that something kills was seen to run in a drain, and is seen no more when another
// term's drain takes that one's place, with no term led between: its kill deadline had been moved past the last validUntil.
func TestBlindInTheDrainThatFollows(t *testing.T) {
	for name, c := range map[string]struct {
		led  bool
		want time.Duration
	}{
		"nothing was led between": {want: 33 * time.Second},
		"a term was led between":  {led: true, want: 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &eye{name: "process", script: []step{{0, running}, {2 * time.Second, unknown}}, kills: true, begin: time.Now()}
				w := waiter(s)
				first, end := context.WithTimeout(t.Context(), time.Second)
				defer end()
				w.Wait(first, drain("7"))
				time.Sleep(2 * time.Second)
				if c.led {
					w.Observe(leadershiptest.Leading(clocktest.Bubble{}, "8"))
				}
				begin := time.Now()
				w.Wait(t.Context(), drain("8"))
				if took := time.Since(begin).Truncate(time.Millisecond); took != c.want {
					t.Errorf("waited %s, want %s", took, c.want)
				}
			})
		})
	}
}
