package status

import "github.com/lease-sidecar/lease-sidecar/pkg/naming"

// Life is what an identity Lease or a heartbeat shows.
type Life string

// The lives. A node's are named as kubectl names its condition, which the control plane judges by the same Lease.
const (
	Live     Life = "Live"
	Left     Life = "Left"
	Lapsed   Life = "Expired"
	Ready    Life = "Ready"
	NotReady Life = "NotReady"
	Gone     Life = "Deleted"
	// Stray is a member whose name does not follow from its pod: replicas ignore it, as anybody may have made it.
	Stray Life = "Foreign"
)

// Beat is a Lease that one process renews to show that it is there: a member, a node, an API server, or another.
type Beat struct {
	Seen

	// Kind is what the process is, Life what its Lease shows of it.
	Kind Kind
	Life Life
	// Estimated says that Life hangs on an age that is only estimated.
	Estimated bool
	// SinceWrite is how long ago it was renewed, Remaining how long it is still valid.
	SinceWrite, Remaining Span
	// Leads says that the member holds its election's Lease.
	Leads bool
}

// judgeBeat judges a Lease that no candidates compete for. A member that has left has cleared its holder.
func judgeBeat(s Seen, kind Kind, now Moment) Beat {
	b := Beat{Seen: s, Kind: kind, SinceWrite: s.sinceWrite(now), Remaining: s.left(now)}
	b.Estimated = !b.Remaining.Known || b.Remaining.Estimated
	expired := b.Remaining.Known && b.Remaining.Length <= 0
	switch {
	case kind == MemberOf && !b.ownName():
		b.Life, b.Estimated, b.Remaining = Stray, false, Span{}
	case s.Record.Holder == "" && kind != Node:
		b.Life, b.Estimated, b.Remaining = Left, false, Span{}
	case kind == Node && expired:
		b.Life = NotReady
	case kind == Node:
		b.Life = Ready
	case expired:
		b.Life = Lapsed
	default:
		b.Life = Live
	}
	return b
}

// ownName reports whether a member's Lease has the name of its pod.
func (b Beat) ownName() bool {
	name, err := naming.MemberLeaseName(naming.LeaseName(b.Election()), b.Pod())
	return err == nil && string(name) == b.Object.Name
}

// Election returns the name of the election's Lease that a member campaigns for.
func (b Beat) Election() string { return b.Object.Labels[naming.LabelMemberOf] }

// longestHolder is how long a holder may be for the replicas to read a pod's name in it, in bytes.
const longestHolder = 320

// Pod returns the member's pod, as the replicas read it: by the holder, and by the label once the member has left.
func (b Beat) Pod() string {
	if holder := b.Record.Holder; holder != "" && len(holder) <= longestHolder {
		return naming.Identity(holder).Name()
	}
	return b.Object.Labels[naming.LabelPod]
}

// Label returns a label of the Lease.
func (b Beat) Label(name string) string { return b.Object.Labels[name] }

// join counts the members of each election, and finds the leader's.
func join(elections []Election, members []Beat) {
	at := map[key]int{}
	for i, e := range elections {
		at[keyOf(e.Object)] = i
	}
	for i := range members {
		m := &members[i]
		n, ok := at[key{m.Object.Namespace, m.Election()}]
		if !ok {
			continue
		}
		e := &elections[n]
		switch m.Life {
		case Live:
			e.Members.Live++
		case Stray:
			continue
		case Left:
			e.Members.Left++
		default:
			e.Members.Expired++
		}
		if e.Leader != "" && m.Record.Holder == e.Record.Holder {
			m.Leads = true
			e.Revision, e.Node = m.Label(naming.LabelRevision), m.Label(naming.LabelNode)
		}
	}
}
