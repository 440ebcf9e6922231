package membership

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Document is who is there, for GET /members, members.json and the event stream. Only live members are listed.
type Document struct {
	// Lease and Namespace name the election's Lease.
	Lease     string `json:"lease"`
	Namespace string `json:"namespace"`
	// Leader is the leader's pod, as in the leadership document; "" if there is none or it is unknown.
	Leader string `json:"leader"`
	// NewestRevision is the workload's newest revision among the live members; "" if none names one.
	NewestRevision string `json:"newestRevision"`
	// Successor is the pod of the member that this replica would hand over to; "" for none.
	Successor string `json:"successor"`
	// Watching says that a watch of the members stands. If not, members expire here though they may live.
	Watching bool `json:"watching"`
	// Counts counts all members that are known.
	Counts Counts `json:"counts"`
	// At is when the document was made, and ValidUntil from when it is out of date, in UTC; ValidUntilBoottime is that instant on
	// the boot clock, in nanoseconds, and BootID names that clock.
	At                 time.Time `json:"at"`
	ValidUntil         time.Time `json:"validUntil"`
	ValidUntilBoottime string    `json:"validUntilBoottimeNs"`
	BootID             string    `json:"bootID"`
	// Members are the live members, by the name of the pod.
	Members []DocumentMember `json:"members"`
}

// DocumentMember is a live member.
type DocumentMember struct {
	// Pod and Identity name it; Node, Revision and Version are what it says of itself, "" if it says nothing.
	Pod      string `json:"pod"`
	Identity string `json:"identity"`
	Node     string `json:"node"`
	Revision string `json:"revision"`
	Version  string `json:"version"`
	// Health and Priority are what it says of itself.
	Health   Health `json:"health"`
	Priority int    `json:"priority"`
	// Leader says that it leads, and Self that it is this replica.
	Leader bool `json:"leader"`
	Self   bool `json:"self"`
	// SeenSince is when this replica first saw it, by this machine's clock; JoinedAt is when it joined, by the member's own.
	SeenSince time.Time  `json:"seenSince"`
	JoinedAt  *time.Time `json:"joinedAt"`
	// Joined orders the members by when they joined, by no clock; "" if unknown.
	Joined string `json:"joined"`
	// Lease is the name of its identity Lease.
	Lease string `json:"lease"`
}

// Document returns who is there as of now. l is this replica's leadership as it was last published.
func (m *Membership) Document() Document {
	now, wall := m.deps.Clock.Now(), m.deps.Clock.Wall().UTC().Truncate(time.Millisecond)
	leader, choice := m.leader(now), m.chosen()
	d := Document{
		Lease: m.cfg.Lease, Namespace: m.cfg.Namespace, Leader: leader, BootID: m.deps.BootID,
		Successor: naming.Identity(choice.Successor).Name(),
		At:        wall, ValidUntil: wall.Add(m.cfg.Duration), ValidUntilBoottime: now.Add(m.cfg.Duration).String(),
		Members: []DocumentMember{},
	}
	m.roster.fill(&d, now)
	return d
}

// leader returns the name of the leader that the election knows, as of now.
func (m *Membership) leader(now bootclock.Instant) string {
	l := m.leadership.Load()
	if l == nil {
		return ""
	}
	return l.At(now).Leader
}

// fill adds the members.
func (r *Roster) fill(d *Document, now bootclock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.Watching, d.Counts = r.watching, r.counts(now)
	var live []proven
	for _, e := range r.members {
		if e.state(now) != Live {
			continue
		}
		live = append(live, proven{e.Member, e.proven})
		one := DocumentMember{
			Pod: e.Pod, Identity: e.Identity, Node: e.Node, Revision: e.Revision, Version: e.SidecarVersion, Health: e.Health,
			Priority: e.Priority, Leader: e.Pod == d.Leader, Self: e.Lease == r.cfg.leaseName(),
			SeenSince: e.first.UTC().Truncate(time.Millisecond), Joined: string(e.Joined), Lease: e.Lease,
		}
		if year := e.JoinedAt.Year(); !e.JoinedAt.IsZero() && year > 0 && year < 10000 { // JSON knows no other years
			at := e.JoinedAt.UTC().Truncate(time.Millisecond)
			one.JoinedAt = &at
		}
		d.Members = append(d.Members, one)
	}
	d.NewestRevision = newestOf(revisions(live))
	slices.SortFunc(d.Members, func(a, b DocumentMember) int { return cmp.Compare(a.Pod, b.Pod) })
}

// JSON prints the document on one line.
func (d Document) JSON() []byte {
	text, err := json.Marshal(d)
	if err != nil {
		return []byte(`{"error":"print the members"}`)
	}
	return text
}

// same reports whether two documents differ in no more than the time.
func (d Document) same(e Document) bool {
	return d.Leader == e.Leader && d.NewestRevision == e.NewestRevision && d.Watching == e.Watching && d.Counts == e.Counts &&
		slices.EqualFunc(d.Members, e.Members, func(a, b DocumentMember) bool {
			a.JoinedAt, b.JoinedAt = nil, nil
			return a == b
		})
}

// observe notes the leadership that the election publishes.
func (m *Membership) observe(l leadership.Leadership) {
	before := m.leadership.Swap(&l)
	if before == nil || before.Leader != l.Leader || before.IsLeader != l.IsLeader {
		m.roster.nudge()
	}
}
