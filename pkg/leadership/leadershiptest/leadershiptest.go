// Package leadershiptest holds the leaderships that tests of several packages use.
package leadershiptest

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Validity is how long the terms of this package run from the clock's time on.
const Validity = 10 * time.Second

// Leading returns the leadership of the candidate web-5d9 that leads under the token.
func Leading(c bootclock.Clock, token string) leadership.Leadership {
	return leadership.Leadership{
		Lease: "acme-752b7817f6", Namespace: "default", Identity: "web-5d9_id", BootID: "boot",
		IsLeader: true, Leader: "web-5d9", Token: token, Transitions: 7, Since: c.Wall(),
		ValidUntil: c.Now().Add(Validity), ValidUntilWall: c.Wall().Add(Validity),
	}
}

// Standby returns the leadership of the same candidate while another one leads; "" for nobody.
func Standby(leader string) leadership.Leadership {
	return leadership.Leadership{
		Lease: "acme-752b7817f6", Namespace: "default", Identity: "web-5d9_id", BootID: "boot", Leader: leader, Transitions: 8,
	}
}

// Draining returns what the same candidate publishes in a handover while it still holds the Lease.
func Draining(c bootclock.Clock) leadership.Leadership {
	l := Leading(c, "")
	l.IsLeader, l.Since = false, time.Time{}
	return l
}

// Text returns "leader TOKEN" or "standby".
func Text(l leadership.Leadership) string {
	if l.IsLeader {
		return "leader " + l.Token
	}
	return "standby"
}
