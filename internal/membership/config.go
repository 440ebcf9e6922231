package membership

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Defaults, those of a node's heartbeat and of an API server's identity Lease.
const (
	DefaultDuration      = 40 * time.Second
	DefaultRenewInterval = 10 * time.Second
	DefaultTTL           = time.Hour
)

const (
	// minDuration is the least duration: the Lease keeps whole seconds, and a third of it must be more than a request.
	minDuration = 3 * time.Second
	// maxDuration is the greatest duration and TTL: more is a mistaken unit.
	maxDuration = 8760 * time.Hour
	// maxMembers is how many members are kept in memory by default, a kilobyte or less each.
	maxMembers = 5000
)

// Config says who this member is, and on which timings it is known.
type Config struct {
	// Lease and Namespace name the election's Lease.
	Lease, Namespace string
	// Workload is the workload, such as "deployment/web"; "" if unknown.
	Workload string
	// Pod is the member's name, the pod's. PodUID, Node and Revision may be "".
	Pod, PodUID, Node, Revision string
	// Version is the program's.
	Version string
	// Priority is the election's: see [elector.Config].
	Priority int
	// Duration is how long a member counts as live after its Lease has last changed. Whole seconds, 3 s or more.
	Duration time.Duration
	// RenewInterval is the time between two renewals, at most a third of Duration.
	RenewInterval time.Duration
	// TTL is how long a member's Lease stays after it has expired or left, where Sweep is on.
	TTL time.Duration
	// Most is how many members are kept in memory besides this one.
	Most int
	// Sweep lets this replica delete such Leases while it leads.
	Sweep bool
}

// WithDefaults returns c with the timings filled in where they are zero.
func (c Config) WithDefaults() Config {
	if c.Duration == 0 {
		c.Duration = DefaultDuration
	}
	if c.RenewInterval == 0 {
		c.RenewInterval = min(DefaultRenewInterval, c.Duration/4)
	}
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.Most == 0 {
		c.Most = maxMembers
	}
	return c
}

// Validate reports every fault at once, each a [*field.Error]: see [field.Faults].
func (c Config) Validate() error {
	f := &field.Faults{}
	if _, err := naming.MemberLeaseName(naming.LeaseName(c.Lease), c.Pod); err != nil {
		f.Add(field.Named("Lease", err))
	}
	if c.Duration < minDuration || c.Duration > maxDuration || c.Duration%time.Second != 0 {
		f.Wrong("Duration", c.Duration.String(), "whole seconds from %s to %s (the Lease keeps no fractions)", minDuration, maxDuration)
	}
	if c.RenewInterval < time.Second || c.RenewInterval > c.Duration/3 {
		f.Wrong("RenewInterval", c.RenewInterval.String(), "at least 1s, and at most a third of the member duration (%s)", c.Duration/3)
	}
	if c.TTL < c.Duration || c.TTL > maxDuration {
		f.Wrong("TTL", c.TTL.String(), "at least the member duration (%s), and at most %s", c.Duration, maxDuration)
	}
	return f.Err()
}

// leaseName is the name of the member's own Lease. The configuration is valid.
func (c Config) leaseName() string {
	name, _ := naming.MemberLeaseName(naming.LeaseName(c.Lease), c.Pod)
	return string(name)
}

// Deps is what membership is built on. All but Rand are required.
type Deps struct {
	// Members keeps the identity Leases, over a connection that nothing else uses.
	Members lease.Members
	// Clock measures everything.
	Clock bootclock.Clock
	// BootID names the clock, for documents.
	BootID string
	// Log takes troubles when they change.
	Log *slog.Logger
	// Identity returns the identity that this replica campaigns under; it may change.
	Identity func() string
	// Rand draws evenly from [0, 1). Nil: the runtime's own source.
	Rand func() float64
}

// Outputs is where the results go. Each function may be nil, must not block, and is called by one goroutine.
type Outputs struct {
	// Prefer takes each new choice.
	Prefer func(Choice)
	// Publish takes the document when who is there has changed, and at least once a RenewInterval.
	Publish func(d Document, changed bool)
	// Found takes the answer to [Membership.Seek]: the identity of the pod's member, else "" and why it cannot lead.
	Found func(pod, identity, why string)
}

func (d Deps) withDefaults() Deps {
	if d.Rand == nil {
		d.Rand = rand.Float64
	}
	return d
}
