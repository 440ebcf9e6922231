package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Defaults of candidates, which the Lease does not show.
const (
	defaultDuration = "15s"
	defaultGrace    = "18s"
)

// leadership says who leads, or why nobody does and until when at most.
func (e Election) leadership() []string {
	switch e.State {
	case Held:
		return e.held()
	case Expired:
		return e.expired()
	case Released:
		first := "Nobody leads. The last holder released the Lease " + ago(e.SinceWrite) + ", and a candidate takes it at once."
		if to := e.Record.NamedSuccessor(); to != "" {
			first += " The release names " + printable(naming.Identity(to).Name()) + " as the first to take it."
		}
		return []string{first + " None has: no candidate runs, none is healthy, or none reaches the Lease."}
	default:
		return e.unheld()
	}
}

func (e Election) held() []string {
	who := printable(e.Leader) + " leads"
	if e.Node != "" {
		who += ", on node " + printable(e.Node)
	}
	if e.Revision != "" {
		who += ", of revision " + printable(e.Revision)
	}
	if e.Record.Holder != e.Leader {
		who += " (identity " + printable(e.Record.Holder) + ")"
	}
	lines := []string{who + "."}
	if e.TermAge.Known {
		lines = append(lines, fmt.Sprintf("Its term has lasted %s. It is the Lease's transition %d.", e.TermAge, e.Record.Transitions))
	}
	if e.Left.Known {
		lines = append(lines, fmt.Sprintf("It renewed the Lease %s, for %s: unless it renews again, its term ends before the Lease expires, in %s.",
			ago(e.SinceWrite), e.Record.Validity(), e.Left))
	} else {
		lines = append(lines, "When it renewed the Lease is unknown: its clock is ahead of this machine's, or the time is missing.")
	}
	if slices.Contains(e.Marks, Foreign) {
		lines = append(lines, "The holder does not follow the protocol of lease-sidecar: it is client-go's elector, or somebody wrote the Lease by hand. "+
			"After the Lease has expired, candidates wait --foreign-grace ("+defaultGrace+" by default) longer.")
	}
	if token := tokenCell(e); token != "<none>" {
		lines = append(lines, "The fencing token of the term is "+strings.Replace(token, "<=", "at most ", 1)+".")
	}
	return lines
}

func (e Election) expired() []string {
	over := e.Left
	over.Length = -over.Length
	nobody := "Nobody leads."
	if e.Estimated {
		nobody = "Nobody leads, as far as clocks show."
	}
	first := fmt.Sprintf("%s %s held the Lease and has not renewed it for %s: it expired %s.",
		nobody, printable(naming.Identity(e.Record.Holder).Name()), e.SinceWrite, ago(over))
	if e.Kind == ClientGo {
		return []string{first, "Another candidate of client-go takes it within its retry period. None has: none runs, or none reaches the Lease."}
	}
	wait := longer(e.Record.Validity())
	grace := ""
	if slices.Contains(e.Marks, Foreign) {
		grace = ", and --foreign-grace (" + defaultGrace + " by default), as the holder does not follow the protocol"
	}
	return []string{first, "A candidate takes it once it has seen no write for " + wait + grace + ": one that starts now waits that long at most. " +
		"If none takes it then, none runs, none is healthy, or none reaches the Lease."}
}

// unheld is a Lease without a holder that nobody released: a fresh one, or one that a hand has edited.
func (e Election) unheld() []string {
	wait := longer(e.Record.Validity())
	last := "The Lease has no holder, and no mark of a release: it is new, or somebody edited it."
	if _, _, ok := e.Record.Marked(); ok {
		last = "The Lease has no holder, and the last one did not release it."
	}
	return []string{"Nobody leads. " + last, "A candidate takes it once it has seen no write for " + wait +
		": that long after the last write, or after its own start. If none takes it then, none runs, none is healthy, or none reaches the Lease."}
}

// leastDuration is the least --lease-duration.
const leastDuration = 3 * time.Second

// longer says how long a candidate waits that has seen a Lease of that validity.
func longer(validity time.Duration) string {
	if validity < leastDuration {
		return "its --lease-duration (" + defaultDuration + " by default)"
	}
	return "the longer of " + validity.String() + " and its own --lease-duration (" + defaultDuration + " by default)"
}

func ago(s Span) string {
	if !s.Known {
		return "at an unknown time"
	}
	return s.String() + " ago"
}
