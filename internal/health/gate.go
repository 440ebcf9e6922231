package health

import (
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// gate decides from check results whether the workload is healthy. It is deterministic: it reads no clock.
type gate struct {
	cfg Config

	healthy bool
	why     string

	passed, failed int               // checks in a row
	token          string            // of the latest term
	graceUntil     bootclock.Instant // failures before then do not count
	proven         bool              // a check has passed since the grace began
	coolUntil      bootclock.Instant // unhealthy until then, whatever checks show
}

// onlyWhileLeading is the reason for the health of a workload that does not run on a standby.
const onlyWhileLeading = "the workload runs only while this replica leads"

func newGate(cfg Config, now bootclock.Instant) gate {
	g := gate{cfg: cfg, why: "its health is not known yet", graceUntil: now.Add(cfg.StartGrace)}
	if cfg.WhileLeading {
		g.healthy, g.why = true, onlyWhileLeading
	}
	return g
}

// count takes the result of a check that was made under l and ended now; nil means passed. It reports a change of the health.
func (g *gate) count(now bootclock.Instant, l leadership.Leadership, err error) (changed bool) {
	if l.IsLeader && l.Token != g.token {
		g.token, g.proven, g.graceUntil = l.Token, false, now.Add(g.cfg.StartGrace)
	}
	switch {
	case err == nil:
		g.proven = true
		g.passed, g.failed = g.passed+1, 0
		return !g.healthy && g.passed >= g.cfg.SuccessThreshold && g.becomeHealthy(now, "its health checks pass")
	case !g.proven && now.Before(g.graceUntil):
		g.passed = 0
		return false
	}
	g.passed, g.failed = 0, g.failed+1
	return g.healthy && g.failed >= g.cfg.Threshold && g.becomeUnhealthy(now, l.IsLeader, err)
}

// skip passes time without a check, for a workload that does not run. It reports a change of the health.
func (g *gate) skip(now bootclock.Instant) (changed bool) {
	g.passed, g.failed = 0, 0
	return !g.healthy && g.becomeHealthy(now, onlyWhileLeading)
}

func (g *gate) becomeHealthy(now bootclock.Instant, why string) bool {
	if now.Before(g.coolUntil) {
		return false
	}
	g.healthy, g.why = true, why
	return true
}

func (g *gate) becomeUnhealthy(now bootclock.Instant, leading bool, err error) bool {
	g.healthy, g.why = false, fmt.Sprintf("%d health checks failed in a row, the last: %v", g.failed, err)
	if leading {
		g.coolUntil = now.Add(g.cfg.Cooldown)
		g.why += fmt.Sprintf("; unhealthy for at least %s", g.cfg.Cooldown.Round(time.Millisecond))
	}
	return true
}
