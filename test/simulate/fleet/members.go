//go:build linux

package fleet

import (
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// What is known of the members is drawn: true, out of date, or a lie. The election must not depend on it.

// stranded is an identity that no process ever has.
const stranded = "gone_00000000-0000-4000-8000-00000000dead"

// advise gives every sidecar that runs an own view of who should lead next.
func (w *world) advise() {
	var identities []string
	for _, c := range w.candidates {
		identities = append(identities, c.currentIdentity())
	}
	identities = append(identities, stranded, "")
	w.mu.Lock()
	w.advised++
	who := fmt.Sprint("prefer ", w.advised) // of two pieces of advice for a frozen process, chance says which one it takes last
	w.mu.Unlock()
	for _, c := range w.candidates {
		p := c.running()
		if p == nil || c.peer != nil {
			continue
		}
		prefers := elector.Preference{
			Successor: oneOf(w.chance, c.number, "successor", w.now(), identities),
			StandBack: w.chance.fraction(c.number, "stand back", w.now()) < 0.25,
		}
		w.spawn(func() {
			p.passAs(beforeOrder, who)
			p.elector.Prefer(prefers)
		})
	}
}

// wish annotates the Lease with the candidate's pod, as somebody who wants it to lead.
func (c *candidate) wish() {
	name := naming.Identity(c.currentIdentity()).Name()
	c.w.edit("wishes for "+name, func(o *coordinationv1.Lease) { annotate(o, naming.AnnotationPreferredHolder, name) })
}

// forge names the candidate as the successor of the record as it is: held, empty or released.
func (c *candidate) forge() {
	identity := c.currentIdentity()
	c.w.edit("names a successor", func(o *coordinationv1.Lease) {
		if o.Spec.RenewTime != nil {
			annotate(o, naming.AnnotationSuccessor, lease.SuccessorMark(identity, o.Spec.RenewTime.Time))
		}
	})
}

func annotate(o *coordinationv1.Lease, key, value string) {
	if o.Annotations == nil {
		o.Annotations = map[string]string{}
	}
	o.Annotations[key] = value
}

// wished answers a wish a moment later: by the identity of that pod, by another's, or by a refusal.
func (p *process) wished(pod string) {
	p.w.after(p.w.chance.span(p.number, "wish", p.w.now(), 20*time.Millisecond), func() {
		answer := elector.Answer{Pod: pod, Why: "no live member has that name"}
		for _, c := range p.w.candidates {
			if identity := c.currentIdentity(); naming.Identity(identity).Name() == pod {
				answer.Identity = identity
			}
		}
		if p.w.chance.fraction(p.number, "wrong pod", p.w.now()) < 0.25 {
			answer.Identity = oneOf(p.w.chance, p.number, "answer", p.w.now(), []string{"", stranded, p.identity})
		}
		p.w.spawn(func() {
			p.passAs(beforeOrder, "answer to "+answer.Pod)
			p.elector.Answer(answer)
		})
	})
}

// judgeNamed holds a take by whom the record names as the successor against invariant I16: the holder has released that very
// record, or it is free in another way.
func (p *process) judgeNamed(base lease.Record, free bool) {
	if !strings.HasPrefix(base.Successor, p.identity+"@") {
		return
	}
	if base.Released() {
		p.w.tally.succeeded++
	}
	p.w.must(free, "I16", "%s follows on version %s, which names it and was not released", p.name, base.Version)
}
