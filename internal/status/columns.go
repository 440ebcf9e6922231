package status

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// column is one column of a table of T. Wide ones are shown with -o wide, spaced ones where several namespaces are.
type column[T any] struct {
	title        string
	wide, spaced bool
	cell         func(T) string
}

var electionColumns = []column[Election]{
	{title: "NAMESPACE", spaced: true, cell: func(e Election) string { return e.Object.Namespace }},
	{title: "NAME", cell: func(e Election) string { return e.Object.Name }},
	{title: "WORKLOAD", cell: func(e Election) string { return orNone(e.Workload) }},
	{title: "LEADER", cell: func(e Election) string { return orNone(e.Leader) }},
	{title: "TERM AGE", cell: func(e Election) string { return ofLeader(e, e.TermAge) }},
	{title: "VALID", cell: func(e Election) string { return ofLeader(e, e.Left) }},
	{title: "TOKEN", cell: tokenCell},
	{title: "TRANSITIONS", cell: func(e Election) string { return strconv.Itoa(int(e.Record.Transitions)) }},
	{title: "MEMBERS", cell: membersCell},
	{title: "LAST RENEWAL", cell: func(e Election) string { return lastCell(e.SinceWrite, e.Record.RenewTime.IsZero()) }},
	{title: "STATE", cell: stateCell},
	{title: "REVISION", wide: true, cell: func(e Election) string { return orNone(e.Revision) }},
	{title: "NODE", wide: true, cell: func(e Election) string { return orNone(e.Node) }},
	{title: "ELECTOR", wide: true, cell: func(e Election) string { return string(e.Kind) }},
}

var memberColumns = []column[Beat]{
	{title: "NAMESPACE", spaced: true, cell: func(b Beat) string { return b.Object.Namespace }},
	{title: "NAME", cell: func(b Beat) string { return b.Object.Name }},
	{title: "ELECTION", cell: Beat.Election},
	{title: "POD", cell: func(b Beat) string { return orNone(b.Pod()) }},
	{title: "LEADS", cell: func(b Beat) string { return strconv.FormatBool(b.Leads) }},
	{title: "HEALTH", cell: func(b Beat) string { return orNone(b.Label(naming.LabelHealth)) }},
	{title: "PRIORITY", cell: func(b Beat) string { return orNone(b.Label(naming.LabelPriority)) }},
	{title: "LAST RENEWAL", cell: beatCell},
	{title: "STATE", cell: lifeCell},
	{title: "REVISION", wide: true, cell: func(b Beat) string { return orNone(b.Label(naming.LabelRevision)) }},
	{title: "NODE", wide: true, cell: func(b Beat) string { return orNone(b.Label(naming.LabelNode)) }},
	{title: "VERSION", wide: true, cell: func(b Beat) string { return orNone(b.Label(naming.LabelVersion)) }},
}

var nodeColumns = []column[Beat]{
	{title: "NODE", cell: func(b Beat) string { return b.Object.Name }},
	{title: "LAST HEARTBEAT", cell: beatCell},
	{title: "VALID", cell: remainingCell},
	{title: "STATE", cell: lifeCell},
}

var serverColumns = []column[Beat]{
	{title: "API SERVER", cell: func(b Beat) string { return b.Object.Name }},
	{title: "HOST", cell: func(b Beat) string { return orNone(b.Label(naming.LabelNode)) }},
	{title: "LAST RENEWAL", cell: beatCell},
	{title: "VALID", cell: remainingCell},
	{title: "STATE", cell: lifeCell},
	{title: "HOLDER", wide: true, cell: func(b Beat) string { return orNone(b.Record.Holder) }},
}

var otherColumns = []column[Beat]{
	{title: "NAMESPACE", spaced: true, cell: func(b Beat) string { return b.Object.Namespace }},
	{title: "OTHER LEASE", cell: func(b Beat) string { return b.Object.Name }},
	{title: "HOLDER", cell: func(b Beat) string { return orNone(b.Record.Holder) }},
	{title: "LAST RENEWAL", cell: beatCell},
	{title: "VALID", cell: remainingCell},
	{title: "STATE", cell: lifeCell},
}

// ofLeader shows a time of the leader's term.
func ofLeader(e Election, s Span) string {
	if e.State != Held {
		return "<none>"
	}
	return s.String()
}

// tokenCell shows the token of the term where its take was seen, else the bound that the Lease's own version sets.
func tokenCell(e Election) string {
	switch {
	case e.State != Held || e.Kind != Sidecar || e.Record.Foreign():
		return "<none>"
	case e.Token != "":
		return e.Token
	}
	return "<=" + string(e.Record.Version)
}

func membersCell(e Election) string {
	if e.Members == (Count{}) {
		return "<none>"
	}
	return fmt.Sprintf("%d/%d", e.Members.Live, e.Members.Total())
}

// lastCell shows how long ago a Lease was written; "<none>" where nobody has renewed it yet.
func lastCell(since Span, never bool) string {
	if never && !since.Known {
		return "<none>"
	}
	return since.String()
}

func beatCell(b Beat) string { return lastCell(b.SinceWrite, b.Record.RenewTime.IsZero()) }

func remainingCell(b Beat) string {
	if b.Life == Live || b.Life == Ready {
		return b.Remaining.String()
	}
	return "<none>"
}

func lifeCell(b Beat) string {
	if b.Deleted {
		return string(Gone)
	}
	return estimate(b.Estimated) + string(b.Life)
}

// stateCell shows the state and the marks, as kubectl shows a node's: Held,Foreign.
func stateCell(e Election) string {
	if e.Deleted {
		return string(Deleted)
	}
	parts := []string{estimate(e.Estimated) + string(e.State)}
	for _, mark := range e.Marks {
		parts = append(parts, string(mark))
	}
	return strings.Join(parts, ",")
}
