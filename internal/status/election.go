package status

import (
	"cmp"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// State is what a Lease shows of its holder.
type State string

// The states of an election.
const (
	// Held: it has a holder, and has not expired.
	Held State = "Held"
	// Expired: it has a holder that has not renewed it for the lease duration.
	Expired State = "Expired"
	// Released: the last holder gave it up, and a candidate may take it at once.
	Released State = "Released"
	// Unheld: it has no holder, and nobody released it. A candidate waits before it takes it.
	Unheld State = "Unheld"
	// Deleted: it is gone.
	Deleted State = "Deleted"
)

// Mark is something about an election that a reader should look into.
type Mark string

// The marks.
const (
	// Foreign: the holder of an election of ours does not follow its protocol.
	Foreign Mark = "Foreign"
	// Edited: somebody wrote the Lease by hand, and candidates honour what the last holder wrote.
	Edited Mark = "Edited"
	// Handover: somebody asks for a handover.
	Handover Mark = "Handover"
	// Collision: the name belongs to another workload, or another Lease that is held elects for the same workload.
	Collision Mark = "Collision"
	// Duplicate: another Lease, which is held, elects for the same workload; this one is not held.
	Duplicate Mark = "Duplicate"
)

// Election is one election, judged.
type Election struct {
	Seen

	// Kind is whose elector made it.
	Kind Kind
	// Workload is what its candidates are replicas of, such as deployment/web; "" where the Lease does not say.
	Workload string
	// Leader is the name part of the holder, while the Lease has not expired; else "".
	Leader string
	// State is what the Lease shows. Estimated says that it hangs on an age that is only estimated.
	State     State
	Estimated bool
	// Marks are what to look into.
	Marks []Mark
	// TermAge is how long the term has lasted, SinceWrite how long ago the Lease was written, Left how long it is still valid.
	TermAge, SinceWrite, Left Span
	// Members are counted for an election whose candidates keep identity Leases.
	Members Count
	// Revision and Node are those of the leader, as its member says.
	Revision, Node string

	// same are the other Leases that elect for the same workload; misnamed says that the name is not one of the workload's.
	same     []Election
	misnamed bool
}

// Count is how many members an election has.
type Count struct {
	// Live, Expired and Left are how many have that life.
	Live, Expired, Left int
}

// Total is how many members have not left.
func (c Count) Total() int { return c.Live + c.Expired }

// judgeElection judges a Lease by itself.
func judgeElection(s Seen, kind Kind, now Moment) Election {
	e := Election{Seen: s, Kind: kind, Workload: s.Record.Workload, SinceWrite: s.sinceWrite(now)}
	r := s.Record
	switch {
	case r.Holder != "":
		e.Left = s.left(now)
		e.State, e.Estimated = Held, !e.Left.Known || e.Left.Estimated
		if e.Left.Known && e.Left.Length <= 0 {
			e.State = Expired
		}
		e.TermAge = s.termAge(now)
	case r.Released(), kind == ClientGo:
		e.State = Released
	default:
		e.State = Unheld
	}
	if e.State == Held {
		e.Leader = naming.Identity(r.Holder).Name()
	}
	if kind == Sidecar {
		e.Marks = e.ownMarks()
		e.misnamed = !nameSuits(s.Object.Name, e.Workload)
		if e.misnamed {
			e.Marks = append(e.Marks, Collision)
		}
	}
	return e
}

// ownMarks returns what the record alone shows.
func (e Election) ownMarks() []Mark {
	var marks []Mark
	if e.Record.Foreign() {
		marks = append(marks, Foreign)
	}
	if e.edits() != nil {
		marks = append(marks, Edited)
	}
	if e.asked() != "" {
		marks = append(marks, Handover)
	}
	return marks
}

// asked returns to whom somebody asks for a handover; "" for nobody.
func (e Election) asked() string {
	return cmp.Or(e.Record.Wish, e.Record.PreferredHolder)
}

// edits says in sentences what was written by a hand, as the mark of the last holder differs from it.
func (e Election) edits() []string {
	r := e.Record
	identity, marked, ok := r.Marked()
	wrote := time.Duration(r.DurationSeconds) * time.Second
	var all []string
	switch {
	case ok && r.Holder == "":
		all = append(all, "The holder was cleared by hand: the mark names "+quote(identity)+", which did not release the Lease.")
	case ok && r.Holder == identity && wrote != marked:
		all = append(all, "The duration was edited by hand: spec.leaseDurationSeconds says "+wrote.String()+", and the holder wrote "+marked.String()+
			". Candidates go by the holder's, and the holder corrects the field with its next renewal.")
	case !ok && r.Holder == "" && r.Mark != "" && !r.Released():
		all = append(all, "The Lease was edited after its release: the mark does not suit it, so candidates do not count it as released.")
	}
	if s := e.Object.Spec.Strategy; s != nil {
		all = append(all, "spec.strategy is "+quote(string(*s))+": the API server itself may elect a holder. Remove it: sidecars do not follow that.")
	}
	return all
}
