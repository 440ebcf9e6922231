package child

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// The end of a command makes the replica stand by for a pause, or ends the sidecar.
func TestEndPolicy(t *testing.T) {
	const start = bootclock.Instant(time.Hour)
	failed := end{End: guard.End{Status: 3}}
	tests := map[string]struct {
		exits bool
		ends  []end
		after time.Duration // from the last end to the look at the pause
		want  []string
	}{
		"stands by": {ends: []end{failed}, after: time.Second - 1, want: []string{"healthy false: the command ended with status 3"}},
		"the pause is over": {ends: []end{failed}, after: time.Second, want: []string{
			"healthy false: the command ended with status 3", "healthy true: the pause after the command's end is over",
		}},
		"the second pause is longer": {ends: []end{failed, failed}, after: 2*time.Second - 1, want: []string{
			"healthy false: the command ended with status 3", "healthy false: the command ended with status 3",
		}},
		"cannot be started": {ends: []end{{End: guard.End{Status: 127, Fault: "no such file"}}}, want: []string{
			"healthy false: the command cannot be started: no such file",
		}},
		"stopped by the guard's deadline": {exits: true, ends: []end{{End: guard.End{Status: 143, Ordered: true}}}, after: time.Hour, want: []string{
			"step down: the guard has stopped the command at its deadline",
		}},
		"ends the sidecar": {exits: true, ends: []end{{}}, after: time.Hour, want: []string{"exit: the command ended with status 0"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := &election{}
			p := endPolicy{election: e, log: slog.New(slog.DiscardHandler)}
			if tc.exits {
				p.exit = func(cause error) { e.record("exit: %s", cause) }
			}
			for _, one := range tc.ends {
				p.ended(start, one)
			}
			p.expire(start.Add(tc.after))
			p.expire(start.Add(tc.after)) // once is enough
			if diff := cmp.Diff(tc.want, e.recorded()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPauses(t *testing.T) {
	var last time.Duration
	for i, step := range []struct{ ran, want time.Duration }{
		{0, time.Second},
		{0, 2 * time.Second},
		{time.Second, 4 * time.Second},
		{0, 8 * time.Second},
		{0, 16 * time.Second},
		{0, 32 * time.Second},
		{0, time.Minute},
		{59 * time.Second, time.Minute},
		{time.Minute, time.Second},
		{0, 2 * time.Second},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if last = nextPause(last, step.ran); last != step.want {
				t.Errorf("after %s: got %s; want %s", step.ran, last, step.want)
			}
		})
	}
}

// TestSteadyRunResetsThePause: a command that has run for a minute is healthy, though it was a loss that ended this run. What failed
// before it does not make the pause after a later failure long.
func TestSteadyRunResetsThePause(t *testing.T) {
	for name, stop := range map[string]func(*fixture){
		"the term was lost":     func(f *fixture) { f.apply(leadership.Leadership{}); f.wantsStopped() },
		"another term followed": func(*fixture) {},
	} {
		t.Run(name, func(t *testing.T) {
			f := run(t, `[ -e $DIR/broken ] && exit 3; `+obedient)
			broken := filepath.Join(f.dir, "broken")
			breaks := func() {
				if err := os.WriteFile(broken, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			breaks()
			f.apply(leads("1", time.Minute))
			f.ended(1)
			f.apply(leads("2", time.Minute))
			f.ended(2) // the pause is 2s now, and the next would be 4s
			if err := os.Remove(broken); err != nil {
				t.Fatal(err)
			}
			f.apply(leads("3", time.Minute))
			pid := f.pid("3")
			guardtest.Within(t, "its start is reported, and made to look as if it were long ago", func() bool {
				f.Child.mu.Lock()
				defer f.Child.mu.Unlock()
				f.begun = f.begun.Add(-steady)
				return f.report.PID == pid
			})
			breaks()
			stop(f)
			f.apply(leads("4", time.Minute))
			f.ended(3)
			var pauses []string
			guardtest.Within(t, "three pauses are logged", func() bool {
				pauses = regexp.MustCompile(`pause=\S+`).FindAllString(f.log.String(), -1)
				return len(pauses) == 3
			})
			if diff := cmp.Diff([]string{"pause=1s", "pause=2s", "pause=1s"}, pauses); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}
