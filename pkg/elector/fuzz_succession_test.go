package elector

import "github.com/lease-sidecar/lease-sidecar/pkg/lease"

// succeed does what concerns the next leader: what is known of the members, names and wishes on the Lease, and the pod's end.
func (o *ordeal) succeed(b byte) {
	r := o.forge()
	switch b {
	case 250:
		o.take(leave{})
	case 251:
		o.take(o.preference())
	case 252:
		o.take(o.answerWish())
	case 253:
		r.Wish = []string{"web-0", "web-1", "web-9"}[o.byte()%3]
		o.store.put(r)
	default:
		r.Successor = lease.SuccessorMark([]string{"web-0_pod", "web-1_pod", ""}[o.byte()%3], r.RenewTime)
		if b == 254 {
			o.store.put(r)
		} else {
			o.take(changed{Event: lease.Event{Record: r}})
		}
	}
}

// preference draws what is known of the members, true or not.
func (o *ordeal) preference() prefer {
	b := o.byte()
	return prefer{Preference{Successor: []string{"", "web-0_pod", "web-1_pod", "web-9_gone"}[b%4], StandBack: b&4 != 0}}
}

// answerWish draws an answer to a wish, asked for or not.
func (o *ordeal) answerWish() wishAnswered {
	b := o.byte()
	return wishAnswered{Answer{Pod: []string{"web-0", "web-1", ""}[b%3], Identity: []string{"", "web-1_pod", "web-0_pod"}[b/3%3]}}
}
