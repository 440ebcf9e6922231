package stopwait

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestReportIsRefusedOutsideADrain(t *testing.T) {
	clock := clocktest.NewHand()
	w := New(Config{Clock: clock, Applied: applyAtOnce, Log: quiet})
	for name, l := range map[string]leadership.Leadership{"leading": leadershiptest.Leading(clock, "5"), "standing by": leadershiptest.Standby("web-x")} {
		for _, token := range []string{"", "5"} {
			if err := w.Drained(l, token); !errors.Is(err, ErrNotDraining) {
				t.Errorf("%s, token %q: %v, want %v", name, token, err, ErrNotDraining)
			}
		}
	}
	if w.reports != (reports{}) {
		t.Error("a refused report was kept")
	}
}

// TestReportBelongsToItsDrain: a report may come before the wait, survives a wait that is asked for anew, and counts for no
// later term, whether it named its own or not.
func TestReportBelongsToItsDrain(t *testing.T) {
	for _, token := range []string{"", "5"} {
		t.Run("token "+token, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := waiter()
				wait := func(token string, until bootclock.Instant) time.Duration {
					start, d := time.Now(), drain(token)
					d.Until = until
					w.Wait(t.Context(), d)
					return time.Since(start)
				}
				report := func() {
					t.Helper()
					if err := w.Drained(leadershiptest.Draining(clocktest.Bubble{}), token); err != nil {
						t.Fatal(err)
					}
				}
				w.Observe(leadershiptest.Leading(clocktest.Bubble{}, "5"))
				until := clocktest.Bubble{}.Now().Add(10 * time.Second)
				report()
				for range 2 {
					if got := wait("5", until); got != 0 {
						t.Errorf("waited %s for a workload that had reported, want 0s", got)
					}
				}
				time.Sleep(time.Second) // the hold is renewed while the drain goes on, and the workload repeats itself
				report()
				time.Sleep(time.Second)
				w.Observe(leadershiptest.Leading(clocktest.Bubble{}, "6"))
				if got := wait("6", clocktest.Bubble{}.Now().Add(10*time.Second)); got != 10*time.Second {
					t.Errorf("waited %s in the next term's drain, want 10s: the report was for the term before", got)
				}
			})
		})
	}
}

// TestLateReportIsForItsOwnTerm: a retry of the last term's report comes in the next term's drain.
func TestLateReportIsForItsOwnTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := waiter()
		w.Observe(leadershiptest.Leading(clocktest.Bubble{}, "5"))
		w.Observe(leadershiptest.Leading(clocktest.Bubble{}, "6"))
		l := leadershiptest.Draining(clocktest.Bubble{})
		refused := func() {
			if err := w.Drained(l, "5"); err == nil || !strings.Contains(err.Error(), `with token "5", and the one that drains now has token 6`) {
				t.Errorf("got %v, want that the term 5 is another one than 6", err)
			}
		}
		refused()
		start := time.Now()
		time.AfterFunc(time.Second, refused)
		time.AfterFunc(2*time.Second, func() {
			if err := w.Drained(l, "6"); err != nil {
				t.Error(err)
			}
		})
		w.Wait(t.Context(), drain("6"))
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("waited %s, want 2s, to the report for this term", got)
		}
	})
}
