package membership

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// labelMost is how long a label's value may be.
const labelMost = 63

// own is what this member's Lease should say.
type own struct {
	cfg      Config
	identity string
	health   Health
	joined   lease.Version // "" until the first write is answered
	left     bool
}

// labels are those that membership keeps. One without a value is not there.
func (o own) labels() map[string]string {
	return map[string]string{
		naming.LabelMemberOf: o.cfg.Lease,
		naming.LabelPod:      labelValue(o.cfg.Pod),
		naming.LabelPodUID:   labelValue(o.cfg.PodUID),
		naming.LabelNode:     labelValue(o.cfg.Node),
		naming.LabelRevision: labelValue(o.cfg.Revision),
		naming.LabelHealth:   string(o.health),
		naming.LabelPriority: strconv.Itoa(o.cfg.Priority),
		naming.LabelVersion:  labelValue(strings.ReplaceAll(o.cfg.Version, "+", "_")), // as Helm writes versions into labels
	}
}

func (o own) annotations() map[string]string {
	return map[string]string{
		naming.AnnotationWorkload: o.cfg.Workload,
		naming.AnnotationJoined:   string(o.joined),
	}
}

// onto returns the member with what o says, renewed at that time by this machine's wall clock. Foreign metadata stays.
func (o own) onto(m lease.Member, at time.Time) lease.Member {
	m.Labels, m.Annotations = merged(m.Labels, o.labels()), merged(m.Annotations, o.annotations())
	m.DurationSeconds = int32(o.cfg.Duration / time.Second)
	at = at.UTC().Truncate(time.Microsecond)
	if !at.After(m.RenewTime) && m.RenewTime.Sub(at) < time.Hour {
		at = m.RenewTime.Add(time.Microsecond) // a store does not write what changes nothing
	}
	m.RenewTime = at
	switch {
	case o.left:
		m.Holder = ""
	case m.Holder != o.identity:
		if m.Version != "" {
			m.Transitions = max(m.Transitions, 0) + 1
		}
		m.Holder, m.AcquireTime = o.identity, at
	}
	return m
}

// saidBy reports whether the member's Lease says what o does.
func (o own) saidBy(m lease.Member) bool {
	for key, value := range o.labels() {
		if m.Labels[key] != value {
			return false
		}
	}
	return o.left || m.Holder == o.identity && m.DurationSeconds == int32(o.cfg.Duration/time.Second)
}

// merged returns a copy of all with those set; a key whose value is "" is removed.
func merged(all, set map[string]string) map[string]string {
	all = maps.Clone(all)
	if all == nil {
		all = map[string]string{}
	}
	for key, value := range set {
		if all[key] = value; value == "" {
			delete(all, key)
		}
	}
	return all
}

// labelValue returns s where it can be a label's value, else "".
func labelValue(s string) string {
	alnum := func(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
	if s == "" || len(s) > labelMost || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return ""
	}
	for i := range len(s) {
		if !alnum(s[i]) && !strings.ContainsRune("-_.", rune(s[i])) {
			return ""
		}
	}
	return s
}
