package health

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// One voice that says "unhealthy" is enough, and only that voice can take it back.
func TestBoard(t *testing.T) {
	var c candidate
	b := NewBoard(&c)
	health, command := b.Voice("health"), b.Voice("command")
	for i, step := range []struct {
		voice   Voice
		healthy bool
		why     string

		want string
	}{
		{health, true, "well", "true: well"},
		{command, false, "it ended", "false: it ended"},
		{health, true, "still well", "false: it ended"},
		{health, false, "gone", "false: gone; it ended"},
		{command, true, "the pause is over", "false: gone"},
		{health, true, "back", "true: back"},
	} {
		step.voice.SetHealthy(step.healthy, step.why)
		if got := c.reports[i]; got != step.want {
			t.Errorf("step %d: got %q; want %q", i, got, step.want)
		}
	}
	c.set(leadership.Leadership{Token: "5"})
	if got := health.Leadership().Token; got != "5" {
		t.Errorf("leadership %q; want the candidate's", got)
	}
}
