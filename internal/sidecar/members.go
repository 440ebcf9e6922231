//go:build linux

package sidecar

import (
	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// membership returns the configuration of the membership, which is on.
func (cfg Config) membership() membership.Config {
	c := *cfg.Membership
	c.Lease, c.Namespace, c.Workload = cfg.Election.Lease, cfg.Election.Namespace, cfg.Election.Workload
	c.Pod, c.PodUID, c.Node = cfg.Replica.Name, cfg.Replica.PodUID, cfg.Node
	c.Version, c.Priority = cfg.Version, cfg.Election.Priority
	return c.WithDefaults()
}

// newMembers builds the membership; nil if it is off. What it finds goes to the elector, and to what the kit has by the time
// that it runs.
func (s *Sidecar) newMembers(e *elector.Elector, k *kit) (*membership.Membership, error) {
	if s.cfg.Membership == nil {
		return nil, nil //nolint:nilnil // off
	}
	bootID, err := bootclock.ID()
	if err != nil {
		return nil, err
	}
	return membership.New(s.cfg.membership(), membership.Deps{
		Members: s.members, Clock: k.clock, BootID: bootID, Log: s.log,
		Identity: func() string { return e.Leadership().Identity },
	}, membership.Outputs{
		Prefer: func(c membership.Choice) {
			e.Prefer(elector.Preference{Successor: c.Successor, StandBack: c.StandBack})
		},
		Publish: k.publishMembers(),
		Found: func(pod, identity, why string) {
			e.Answer(elector.Answer{Pod: pod, Identity: identity, Why: why})
		},
	})
}

// publishMembers returns the function that passes a document of the members to the event stream and the file.
func (k *kit) publishMembers() func(membership.Document, bool) {
	last := trouble.Last{}
	return func(d membership.Document, changed bool) {
		if changed {
			k.feed.Members(d.JSON())
		}
		if k.file == nil {
			return
		}
		err := k.file.Members(d.JSON(), d.ValidUntil)
		if last.Changed(err) && err != nil {
			k.log.Warn("the file of the members cannot be written", "reason", "MembersFileFailed", "error", err)
		}
	}
}

// voidMembers removes the file of the members.
func (k *kit) voidMembers() {
	if k.file == nil {
		return
	}
	if err := k.file.Members(nil, k.clock.Wall()); err != nil {
		k.log.Warn("the file of the members cannot be removed: its time says until when it holds", "reason", "MembersFileFailed", "error", err)
	}
}

// addMembers adds the membership. A file of the members that an earlier process left is void in any case.
func addMembers(k *kit) error {
	k.voidMembers()
	if k.members == nil {
		return nil
	}
	void := func() error {
		k.voidMembers()
		return nil
	}
	k.add(part{observe: k.members.Observe, run: k.members.Run, ending: k.members.Leaving, finish: k.members.Leave, close: void})
	return nil
}

// candidate is the elector with what the membership has to know of the commands to it.
type candidate struct {
	*elector.Elector
	members *membership.Membership // nil: off
}

// SetHealthy passes the workload's health on.
func (c candidate) SetHealthy(healthy bool, why string) {
	c.Elector.SetHealthy(healthy, why)
	if c.members != nil {
		c.members.SetHealthy(healthy)
	}
}

// Leave says that the pod is about to end.
func (c candidate) Leave() {
	c.Elector.Leave()
	if c.members != nil {
		c.members.Leaving()
	}
}

// wished returns the function that finds out who the pod is that the Lease asks for as its leader. Every wish is answered, also where
// nobody is known.
func (k *kit) wished() func(pod string) {
	if k.members != nil {
		return k.members.Seek
	}
	return func(pod string) {
		k.elector.Answer(elector.Answer{Pod: pod, Why: "the leader knows no members, as it runs without --membership"})
	}
}

// memberMetrics returns what a scrape shows of the membership; nil if it is off.
func (k *kit) memberMetrics() func() metrics.Members {
	if k.members == nil {
		return nil
	}
	return func() metrics.Members {
		counts := k.members.Roster().Counts()
		m := metrics.Members{
			States: map[string]int{"live": counts.Live, "unproven": counts.Unproven, "left": counts.Left, "expired": counts.Expired},
			Sent:   map[string]int{}, Failed: map[string]int{},
		}
		for verb, n := range k.members.Requests() {
			m.Sent[verb], m.Failed[verb] = n.Sent, n.Failed
		}
		return m
	}
}

// memberDocument returns what GET /members answers; nil if it is off.
func (k *kit) memberDocument() func() any {
	if k.members == nil {
		return nil
	}
	return func() any { return k.members.Document() }
}
