package membership

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Health is what a member says of itself.
type Health string

// The values of [naming.LabelHealth]. Any other one counts as unhealthy.
const (
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
	Leaving   Health = "leaving"
)

// longestText bounds what is kept of a text in a member's Lease, in bytes: a pod's name and a UID take 290 at most.
const longestText = 320

// Member is what is kept of a member's Lease: short, whatever the Lease holds.
type Member struct {
	// Lease is the name of its identity Lease; UID and Version are that object's.
	Lease   string
	UID     string
	Version lease.Version
	// Identity is the holder; "" once the member has left.
	Identity string
	// Pod, Node, Revision and SidecarVersion are what the member says of itself; "" if unknown.
	Pod, Node, Revision, SidecarVersion string
	// Health is healthy, unhealthy or leaving.
	Health Health
	// Priority is from 0, also where the label is no number, to the election's highest.
	Priority int
	// Joined is the version of the member's first write; "" while it is not known.
	Joined lease.Version
	// JoinedAt is when the member says it joined, by its own clock: for people only.
	JoinedAt time.Time
	// Duration is how long the member's Lease says that it lives; 0 if it does not.
	Duration time.Duration
}

// errStranger says that a Lease with the label is not the identity Lease of the pod that it names.
var errStranger = errors.New("the Lease is not a member's: its name does not follow from the pod's")

// parse reads the Lease of a member of that election. A Lease whose name does not follow from its pod is refused: nobody can
// pass for another pod under another name, and a Lease that is no member's is never swept.
func parse(election string, m lease.Member) (Member, error) {
	pod := m.Labels[naming.LabelPod]
	if m.Holder != "" && len(m.Holder) <= longestText {
		pod = naming.Identity(m.Holder).Name() // a name of more than 63 characters is in no label
	}
	name, err := naming.MemberLeaseName(naming.LeaseName(election), pod)
	if err != nil || pod == "" || m.Labels[naming.LabelElection] != "" || string(name) != m.Name {
		return Member{}, fmt.Errorf("%w (Lease %s)", errStranger, clip(m.Name))
	}
	one := Member{
		Lease: string(name), UID: clip(m.UID), Version: m.Version, Identity: clip(m.Holder), Pod: clip(pod),
		Node: clip(m.Labels[naming.LabelNode]), Revision: clip(m.Labels[naming.LabelRevision]),
		SidecarVersion: clip(m.Labels[naming.LabelVersion]), JoinedAt: m.AcquireTime,
		Duration: time.Duration(max(m.DurationSeconds, 0)) * time.Second,
	}
	one.Health = Unhealthy
	if health := Health(m.Labels[naming.LabelHealth]); health == Leaving || health == Healthy && one.Identity == m.Holder {
		one.Health = health
	}
	if n, err := strconv.Atoi(m.Labels[naming.LabelPriority]); err == nil {
		one.Priority = min(max(n, 0), elector.MaxPriority)
	}
	// A member cannot have joined after its last write.
	if joined, err := lease.ParseVersion(m.Annotations[naming.AnnotationJoined]); err == nil && joined.Compare(m.Version) <= 0 {
		one.Joined = lease.Version(strings.Clone(string(joined)))
	}
	return one, nil
}

// clip bounds a text. It copies it, so that a large Lease is not kept for a small part.
func clip(s string) string {
	if len(s) > longestText {
		s = s[:longestText]
	}
	return strings.Clone(strings.ToValidUTF8(s, "�"))
}

// sameFacts reports whether two states of a member are the same to everybody else.
func (m Member) sameFacts(n Member) bool {
	m.Version, m.Duration = n.Version, n.Duration
	return m == n
}
