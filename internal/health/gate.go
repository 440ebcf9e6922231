package health

import (
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// gate counts checks, and says from them whether the workload is fit to lead. It is values in, values out: it looks at
// no clock and at nothing of the workload.
type gate struct {
	cfg Config

	fit bool
	why string

	passed, failed int               // in a row
	token          string            // of the last term seen
	graceUntil     bootclock.Instant // failures do not count before
	proven         bool              // a check has passed since the grace began
	coolUntil      bootclock.Instant // unfit until then, whatever the checks say
}

func newGate(cfg Config, now bootclock.Instant) gate {
	g := gate{cfg: cfg, why: "its health is not known yet", graceUntil: now.Add(cfg.StartGrace)}
	if cfg.WhileLeading {
		g.fit, g.why = true, "the workload runs only while this replica leads"
	}
	return g
}

// take counts a check that was made under the leadership l and has ended now: well where err is nil. It reports whether
// the fitness changed.
func (g *gate) take(now bootclock.Instant, l leadership.Leadership, err error) (changed bool) {
	if l.IsLeader && l.Token != g.token {
		g.token, g.proven, g.graceUntil = l.Token, false, now.Add(g.cfg.StartGrace)
	}
	switch {
	case err == nil:
		g.proven = true
		g.passed, g.failed = g.passed+1, 0
		return !g.fit && g.passed >= g.cfg.SuccessThreshold && g.becomeFit(now, "its health checks pass")
	case !g.proven && now.Before(g.graceUntil):
		g.passed = 0
		return false
	}
	g.passed, g.failed = 0, g.failed+1
	return g.fit && g.failed >= g.cfg.Threshold && g.becomeUnfit(now, l.IsLeader, err)
}

// rest lets time pass without a check, for a workload that does not run. It reports whether the fitness changed.
func (g *gate) rest(now bootclock.Instant) (changed bool) {
	g.passed, g.failed = 0, 0
	return !g.fit && g.becomeFit(now, "the workload runs only while this replica leads")
}

func (g *gate) becomeFit(now bootclock.Instant, why string) bool {
	if now.Before(g.coolUntil) {
		return false
	}
	g.fit, g.why = true, why
	return true
}

func (g *gate) becomeUnfit(now bootclock.Instant, leading bool, err error) bool {
	g.fit, g.why = false, fmt.Sprintf("%d health checks failed in a row, the last: %v", g.failed, err)
	if leading {
		g.coolUntil = now.Add(g.cfg.Cooldown)
		g.why += fmt.Sprintf("; unfit for %s at least", g.cfg.Cooldown.Round(time.Millisecond))
	}
	return true
}
