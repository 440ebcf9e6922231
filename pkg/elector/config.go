package elector

import (
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Limits and fixed spans of the protocol.
const (
	minDuration      = 3 * time.Second         // below it the margins drown in scheduling noise
	maxDuration      = 8760 * time.Hour        // a year: more is a mistaken unit, and sums could overflow
	minRenewInterval = time.Second             // other electors compare renew times by the second
	maxAttempt       = 2500 * time.Millisecond // one request to the store, until it has shown to be slower
	maxKillMargin    = 3 * time.Second
	releaseSpread    = 10 * time.Millisecond
	releaseCooldown  = 5 * time.Second // before a candidate takes its own release back
	preferenceGrace  = time.Second     // the head start of spec.preferredHolder
	priorityStep     = 50 * time.Millisecond
)

// MaxPriority is the priority of a candidate that is first in line.
const MaxPriority = 10

// Config says what to campaign for, as whom, and on which timings. Begin with [Default].
type Config struct {
	// Lease and Namespace name the Lease, for documents and messages; the Store knows where it is.
	Lease, Namespace string
	// Workload is written to the Lease and compared with what stands there ("deployment/web"); "" for no check.
	Workload string
	// Store says where the Lease lies, such as the API server's host or a directory's path: a [Hold] of a Lease in one store
	// must not be believed of a Lease of that name in another. "" is a name like any other.
	Store string
	// Identity is unique to this process's run of the candidate, or kept over restarts under the [Hold]'s lock.
	Identity naming.Identity
	// Duration is the lease duration, whole seconds ≥ 3 s, the same for all candidates of a Lease. Default 15 s.
	Duration time.Duration
	// RenewDeadline is how long a renewal carries a term, counted from before it was sent. Default ⅔ of Duration.
	RenewDeadline time.Duration
	// RenewInterval is the time from one renewal to the next. Default ⅕ of Duration, at least 1 s.
	RenewInterval time.Duration
	// ForeignGrace is added to the wait after a holder that does not follow this protocol: its retry period + 3
	// times its renew deadline − its lease duration + 1 s. 0: none. [Default] sets 18 s, which suits client-go's defaults.
	ForeignGrace time.Duration
	// Priority is 10 for the first in line, as [Default] sets it, down to 0 for the last: each step below waits 50 ms longer
	// before it takes a free Lease. It decides who goes first, never who may.
	Priority int
	// LeadUnhealthy lets an unhealthy candidate (see [Elector.SetHealthy]) take a Lease that no healthy one has taken for a whole
	// lease duration after it became free. Without it, no leader is better than an unhealthy one.
	LeadUnhealthy bool
	// ExitOnLoss has [Elector.Run] end with [ErrLeadershipLost] when a term ends that nobody asked to end, this
	// process's own or one that it inherited. "Not leading" is published first.
	ExitOnLoss bool
}

// Default returns the timings that suit client-go peers at their defaults: 15 s, 10 s, 3 s, and 18 s of grace; and the
// priority of a candidate that is first in line.
func Default() Config {
	return Config{Duration: 15 * time.Second, ForeignGrace: 18 * time.Second, Priority: MaxPriority}.WithDefaults()
}

// WithDefaults returns c with Duration (15 s), RenewDeadline and RenewInterval filled in where they are zero. ForeignGrace and
// Priority stay, as zero is a choice there.
func (c Config) WithDefaults() Config {
	if c.Duration == 0 {
		c.Duration = 15 * time.Second
	}
	if c.RenewDeadline == 0 {
		c.RenewDeadline = c.Duration * 2 / 3
	}
	if c.RenewInterval == 0 {
		c.RenewInterval = max(c.Duration/5, minRenewInterval)
	}
	return c
}

// KillMargin returns the time after validUntil by which a workload that does not stop by itself must be dead:
// min(3 s, 0.6·(Duration − RenewDeadline)).
func (c Config) KillMargin() time.Duration {
	return min(maxKillMargin, (c.Duration-c.RenewDeadline)*6/10)
}

// longestDeadline returns the longest RenewDeadline for the Duration: with the kill margin it ends within 90 % of the Duration, as
// clocks may differ by 1 %. The margin is 0.6·(D − V) up to 20 s, which gives V ≤ 0.75·D, and 3 s above, which gives V ≤ 0.9·D − 3 s.
func (c Config) longestDeadline() time.Duration {
	return max(c.Duration*3/4, c.Duration*9/10-maxKillMargin)
}

// HoldKey returns the key of this candidate's [Hold].
func (c Config) HoldKey() HoldKey {
	return HoldKey{Namespace: c.Namespace, Lease: c.Lease, Store: c.Store, Identity: string(c.Identity)}
}

// soonestTake returns how soon after a write somebody else could take the Lease over it, by clocks that differ from ours by as
// much as the protocol bears (ρ = 1 %): D·(1−ρ)/(1+ρ).
func (c Config) soonestTake() time.Duration { return c.Duration * 98 / 100 }

// attempt returns how long one request may take at first: min(2.5 s, RenewDeadline/4).
func (c Config) attempt() time.Duration { return min(maxAttempt, c.RenewDeadline/4) }

// Validate reports every fault at once, each a [*field.Error]: see [field.Faults].
func (c Config) Validate() error {
	var faults field.Faults
	if c.Lease == "" {
		faults.Wrong("Lease", "", "the Lease's name")
	}
	if c.Identity == "" {
		faults.Wrong("Identity", "", "a name that no other candidate has")
	}
	if c.Duration < minDuration || c.Duration%time.Second != 0 {
		faults.Wrong("Duration", c.Duration.String(), "whole seconds, at least %s (the Lease keeps no fractions)", minDuration)
	}
	if c.Duration > maxDuration {
		faults.Wrong("Duration", c.Duration.String(), "at most %s", maxDuration)
	}
	if longest := c.longestDeadline(); c.RenewDeadline <= 0 || c.RenewDeadline > longest {
		faults.Wrong("RenewDeadline", c.RenewDeadline.String(),
			"more than 0s and at most %s at a lease duration of %s, or clocks that differ by 1%% could overlap; two thirds are usual",
			longest, c.Duration)
	}
	if c.RenewInterval < minRenewInterval || c.RenewInterval > c.RenewDeadline/2 {
		faults.Wrong("RenewInterval", c.RenewInterval.String(), "at least %s and at most half of the renew deadline %s",
			minRenewInterval, c.RenewDeadline)
	}
	if c.ForeignGrace < 0 || c.ForeignGrace > maxDuration {
		faults.Wrong("ForeignGrace", c.ForeignGrace.String(), "0s to %s; 18s suits client-go at its defaults", maxDuration)
	}
	if c.Priority < 0 || c.Priority > MaxPriority {
		faults.Wrong("Priority", strconv.Itoa(c.Priority), "0 to %d, which is first in line", MaxPriority)
	}
	return faults.Err()
}
