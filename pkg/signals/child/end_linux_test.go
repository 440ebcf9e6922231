package child

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
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
