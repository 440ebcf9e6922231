// Package podlabel signals by a label on the leader's pod, so that a Service which selects the label routes to the leader.
//
// It promises that a leader takes the label from other pods of its election before it labels its own, and that a standby
// unlabels its own pod. A leader corrects later faults: it lists the pods again at pauses that grow from 1 s to 64 s. An
// unlabelled standby sends no requests. The signal touches only the pod with its own UID and pods whose annotation names its
// own Lease, and never a pod that has the key with another value.
//
// It does not promise that at most one pod has the label: a leader cut off from the API server keeps it until the next one
// leads. The label cannot fence: kube-proxy learns of a change even later. The output's wait policy says how long a handover
// waits for it.
//
//	leadership ── leading ──▶ LIST pods with the label ──▶ off the others of this Lease ──▶ on our own, with the mark
//	          └── not ──────▶ off our own
//
// The mark is an annotation with the label's key. It holds the Lease and the term's token, so that two workloads in one
// namespace can share a label, and two elections in one pod can use two labels.
package podlabel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

const (
	// attemptTimeout bounds one Apply, with all of its requests.
	attemptTimeout = 3 * time.Second
	// firstLook and lastLook are the shortest and the longest pause between the leader's looks at the pods; the pause
	// doubles. The first is short because a request of the last leader may arrive late in a handover.
	firstLook, lastLook = time.Second, 64 * time.Second
	// refusedPause is the pause after a refusal that only a change by hand can lift.
	refusedPause = 30 * time.Second
)

// errLapsed stops the labelling of a pod whose term has meanwhile ended.
var errLapsed = errors.New("the term expired while its pod was being labelled")

// mismatch is the error of a pod that must not be labelled. Only a new configuration can fix it.
type mismatch struct{ error }

// Signal labels the leader's pod and unlabels all others of the election.
type Signal struct {
	cfg Config

	inspected bool   // our own pod was checked and may be labelled
	known     bool   // shown is what the API server has
	shown     string // the token of our pod's mark; "" for none
	look      bootclock.Instant
	pause     time.Duration // between the last look and the next

	refusal error // the latest refusal, and the token that it was for
	refused string
	until   bootclock.Instant
}

var _ signals.Signal = (*Signal)(nil)

// New returns the signal. It makes no request.
func New(cfg Config) *Signal { return &Signal{cfg: cfg} }

// Name returns "pod-label".
func (s *Signal) Name() string { return "pod-label" }

// Apply makes the pods show the leadership, within 3 s. If they are known to show it, only a leader's look is sent.
func (s *Signal) Apply(ctx context.Context, l leadership.Leadership) error {
	now := s.cfg.Clock.Now()
	l = l.At(now)
	if s.known && s.shown == l.Token && (l.Token == "" || now.Before(s.look)) {
		return nil
	}
	if s.refusal != nil && s.refused == l.Token && now.Before(s.until) {
		return s.refusal
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	err := s.show(ctx, l)
	s.note(l.Token, err)
	return err
}

// note records the result of an attempt, and when to try again.
func (s *Signal) note(token string, err error) {
	now := s.cfg.Clock.Now()
	if err != nil {
		s.known, s.refusal = false, nil
		if lasting(err) {
			s.refusal, s.refused, s.until = err, token, now.Add(refusedPause)
		}
		return
	}
	s.pause = min(2*s.pause, lastLook)
	if !s.known || s.shown != token {
		s.pause = firstLook
	}
	s.known, s.shown, s.refusal, s.look = true, token, nil, now.Add(s.pause)
}

// lasting reports whether the same request would be refused again: only people change rights and policies.
func lasting(err error) bool {
	if _, never := errors.AsType[mismatch](err); never {
		return true
	}
	switch code := apiserver.Status(err); code {
	case http.StatusNotFound, http.StatusConflict, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	default:
		return code >= 400 && code < 500
	}
}

func (s *Signal) show(ctx context.Context, l leadership.Leadership) error {
	if err := s.inspect(ctx, l.IsLeader); err != nil || !s.inspected {
		return err
	}
	own := metadata{Name: s.cfg.Pod, UID: s.cfg.UID}
	if !l.IsLeader {
		if err := s.patch(ctx, own, nil, nil); err != nil && !gone(err) {
			return err
		}
		return nil
	}
	return s.lead(ctx, l, own)
}

// inspect checks once that our own pod exists, is ours, and that the key is free. It must never change a key that the
// workload uses itself: controllers and Services select pods by it.
func (s *Signal) inspect(ctx context.Context, leading bool) error {
	if s.inspected {
		return nil
	}
	pod, err := s.get(ctx)
	switch {
	case err == nil && pod.UID == s.cfg.UID:
	case !leading && (err == nil || apiserver.Status(err) == http.StatusNotFound):
		return nil // another pod, or none: nothing of ours has the label
	case err == nil:
		return mismatch{fmt.Errorf("label pod %s: it has UID %s, not %s: give the pod's own, metadata.uid",
			s.cfg.Pod, pod.UID, s.cfg.UID)}
	default:
		return err
	}
	if value, taken := pod.Labels[s.cfg.Label.Key]; taken && value != s.cfg.Label.Value {
		return mismatch{fmt.Errorf("label pod %s: it has %s=%s already, which is not ours to change: choose another key",
			s.cfg.Pod, s.cfg.Label.Key, value)}
	}
	s.inspected = true
	return nil
}

// lead unlabels the other pods and then labels our own. It labels ours even if another pod cannot be cleared: otherwise the
// Service would have no endpoint at all.
func (s *Signal) lead(ctx context.Context, l leadership.Leadership, own metadata) error {
	labelled, err := s.list(ctx)
	if err != nil {
		return err
	}
	key, mark := s.cfg.Label.Key, election(l)+" "+l.Token
	var faults []error
	marked := false
	for _, pod := range labelled {
		theirs, _, _ := strings.Cut(pod.Annotations[key], " ")
		switch {
		case pod.UID == own.UID:
			marked = pod.Annotations[key] == mark
		case theirs == election(l):
			// Only at the listed version: if that pod leads by now, its new mark must stay.
			if err := s.patch(ctx, pod, nil, nil); err != nil && apiserver.Status(err) != http.StatusNotFound {
				faults = append(faults, err)
			}
		}
	}
	if !l.At(s.cfg.Clock.Now()).IsLeader {
		return errors.Join(append(faults, errLapsed)...)
	}
	if !marked {
		faults = append(faults, s.patch(ctx, own, &s.cfg.Label.Value, &mark))
	}
	return errors.Join(faults...)
}

// election names the Lease with its namespace, as pods of one namespace may belong to Leases of several.
func election(l leadership.Leadership) string { return l.Namespace + "/" + l.Lease }
