package elector

import (
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

const (
	successorGrace = 50 * time.Millisecond // the head start of the successor that a release names
	standBackGrace = time.Second           // the head start that an outgoing revision gives to the newest
	podNameMax     = 253                   // characters, as Kubernetes has it
)

// Preference is advice on who should lead next, by what is known of the members. It decides who goes first, never who may: a
// successor that is dead or does not exist costs the others 50 ms.
type Preference struct {
	// Successor is the identity that this candidate names when it releases the Lease; "" for nobody.
	Successor string
	// StandBack has this candidate wait for a second longer before it takes a free Lease.
	StandBack bool
}

// Answer is what became of a wish for a leader, given to [Outputs.Wished].
type Answer struct {
	// Pod is the wish.
	Pod string
	// Identity is that pod's, where it is a live and healthy member; else "", and Why says why nothing is handed over.
	Identity, Why string
}

// succession is what a candidate knows about who should lead next.
type succession struct {
	preference Preference
	asked      string // the wish that an answer is awaited for
	granted    string // the identity that this term is handed over to
	answered   string // the wish that answer is about
	answer     string // what is to be written about it; "": nothing
}

// headStart returns how much longer than others this candidate waits before it takes the record that it has just seen, where
// the Lease was released to somebody, or a newer revision stands by; and whether it is the one to take it at once.
func (m *machine) headStart() (wait time.Duration, first bool) {
	if m.succession.preference.StandBack {
		wait = standBackGrace
	}
	switch r := m.know.record; r.NamedSuccessor() {
	case "":
		return wait, false
	case string(m.cfg.Identity):
		return wait, !r.RenewTime.Equal(m.cooldown.release) // nobody names itself: that is somebody else's edit
	}
	return max(wait, successorGrace), false
}

// heed takes the wish on a Lease that this candidate leads. Who it is for is asked outside: see [Outputs.Wished].
func (m *machine) heed(now moment, r lease.Record) {
	s := &m.succession
	if r.Wish != s.answered {
		s.answered, s.answer = "", ""
	}
	switch {
	case r.Wish == "":
		s.asked = ""
	case r.Wish == m.cfg.Identity.Name():
		m.answer(now, r.Wish, "leads already")
	case r.Wish != s.asked:
		s.asked = r.Wish
		m.out.wished = r.Wish
	}
}

// wishAnswered takes the answer to a wish, unless the wish has gone meanwhile, or leadership has.
func (m *machine) wishAnswered(now moment, a Answer) {
	s := &m.succession
	if m.role != leading || a.Pod == "" || a.Pod != s.asked || a.Pod != m.know.record.Wish {
		return
	}
	s.asked = ""
	if a.Identity == "" {
		m.answer(now, a.Pod, a.Why)
		return
	}
	s.granted, s.answered = a.Identity, a.Pod
	s.answer = clip(a.Pod) + ": " + m.cfg.Identity.Name() + " has handed over to it"
	m.beginDrain(now, "the Lease asks for "+clip(a.Pod)+" as its leader")
}

// answer has an answer written with the next renewal, which is sent at once.
func (m *machine) answer(now moment, pod, text string) {
	s := &m.succession
	if s.answer == "" {
		m.info("WishRefused", "the Lease asks for another leader, and nothing is handed over",
			slog.String("pod", clip(pod)), detail(text))
	}
	s.answered, s.answer = pod, clip(pod)+": "+text
	m.term.renewAt = now.boot
}

// clip bounds a name that anybody may have written.
func clip(pod string) string {
	if len(pod) > podNameMax {
		return pod[:podNameMax] + "…"
	}
	return pod
}

// withAnswer adds what is to be written about a wish to a write of ours. A wish that is granted is answered by the release: until
// then the handover may be abandoned, and the wish is the next leader's.
func (s *succession) withAnswer(r lease.Record) lease.Record {
	r.Successor = ""
	if s.granted == "" {
		r = s.answerIn(r)
	}
	return r
}

// answerIn puts the answer in the place of the wish that it is about. Another wish, which somebody has written since, stays.
func (s *succession) answerIn(r lease.Record) lease.Record {
	if s.answer != "" && r.Wish == s.answered {
		r.Wish, r.WishAnswer = "", s.answer
	}
	return r
}

// withSuccessor adds the successor to the release with that renew time, and the answer to the wish for it.
func (s *succession) withSuccessor(r lease.Record, renewTime time.Time) lease.Record {
	switch {
	case s.granted != "":
		r = s.answerIn(r)
		r.Successor = lease.SuccessorMark(s.granted, renewTime)
	case s.preference.Successor != "":
		r.Successor = lease.SuccessorMark(s.preference.Successor, renewTime)
	}
	return r
}
