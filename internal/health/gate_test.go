package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestGate: what follows from a row of checks, one a second. A letter is a second: p passes, f fails, on a standby;
// P and F the same while leading its first term, Q and G in a second one; "." is a second without a check. The line below
// is the health after each: + healthy, - unhealthy.
func TestGate(t *testing.T) {
	plain := Config{Threshold: 3, SuccessThreshold: 1, Cooldown: 5 * time.Second}
	with := func(change func(*Config)) Config {
		c := plain
		change(&c)
		return c
	}
	for _, c := range []struct {
		name   string
		cfg    Config
		checks string
		want   string
	}{
		{"unknown is unhealthy, one success makes healthy", plain, "fffpp", "---++"},
		{"fewer failures than the threshold", plain, "pffpffp", "+++++++"},
		{"as many as the threshold", plain, "pfffp", "+++-+"},
		{"a threshold of one", with(func(c *Config) { c.Threshold = 1 }), "pfp", "+-+"},
		{"successes in a row", with(func(c *Config) { c.SuccessThreshold = 2 }), "ppfffpfpp", "-+++----+"},
		{"unhealthy while leading: a cooldown", plain, "pPFFFppppppp", "++++-----+++"},
		{"unhealthy while standing by: no cooldown", plain, "pPfffp", "++++-+"},
		{"the grace of a start does not make healthy", with(func(c *Config) { c.StartGrace = 10 * time.Second }), "ffffp", "----+"},
		{"the grace of a term", with(func(c *Config) { c.StartGrace = 4500 * time.Millisecond }), "pFFFFFFFF", "++++++++-"},
		{"it ends with a success", with(func(c *Config) { c.StartGrace = 10 * time.Second }), "pFFPFFF", "++++++-"},
		{"each term has its own", with(func(c *Config) { c.StartGrace = 10 * time.Second }), "pPPGGGGG", "++++++++"},
		{"only while leading: a standby is healthy", with(func(c *Config) { c.WhileLeading = true }), "...PFFF.....", "++++++-----+"},
		{"only while leading: failures of the last term are forgotten", with(func(c *Config) { c.WhileLeading = true }), "PFF.GG", "++++++"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := bootclock.Instant(100e9)
			g := newGate(c.cfg, now)
			var got strings.Builder
			for _, letter := range c.checks {
				now = now.Add(time.Second)
				l := leadership.Leadership{}
				switch letter {
				case 'P', 'F':
					l = leadership.Leadership{IsLeader: true, Token: "1"}
				case 'Q', 'G':
					l = leadership.Leadership{IsLeader: true, Token: "2"}
				}
				before, changed := g.healthy, false
				switch letter {
				case '.':
					changed = g.skip(now)
				case 'p', 'P', 'Q':
					changed = g.count(now, l, nil)
				default:
					changed = g.count(now, l, errors.New("no"))
				}
				if changed != (g.healthy != before) {
					t.Errorf("changed: %v, and the health went from %v to %v", changed, before, g.healthy)
				}
				got.WriteByte(map[bool]byte{true: '+', false: '-'}[g.healthy])
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Errorf("health after %s (-want +got):\n%s", c.checks, diff)
			}
		})
	}
}

func TestGateSaysWhy(t *testing.T) {
	g := newGate(Config{Threshold: 2, SuccessThreshold: 1, Cooldown: 5 * time.Second}, 0)
	l := leadership.Leadership{IsLeader: true, Token: "1"}
	whys := []string{g.why}
	for _, err := range []error{nil, errors.New("a"), errors.New("b")} {
		if g.count(1e9, l, err) {
			whys = append(whys, g.why)
		}
	}
	want := []string{
		"its health is not known yet", "its health checks pass",
		"2 health checks failed in a row, the last: b; unhealthy for at least 5s",
	}
	if diff := cmp.Diff(want, whys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
