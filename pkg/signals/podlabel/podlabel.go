// Package podlabel is the signal by a label on the pods: the leader's pod has it, so that a Service that selects the
// label routes to the leader.
//
// It promises that a leader takes the label from other pods of its election before it puts it on its own, that a
// standby takes off its own, and that what goes wrong is set right: at errors, and by a look at the pods that the leader
// repeats, at each 64 s in the end. Standbys ask the API server for nothing but that. It touches the pod with its own
// UID and those whose annotation names its own Lease. It refuses to touch a pod that has the key with another value.
//
// It does not promise that no two pods have the label at one instant: a leader that is cut off from the API server
// keeps it until the next one leads. Nor is it quick enough to fence anything: kube-proxy learns of it later still. How
// long a handover waits for it is the fan-out's to say, by the output's wait policy.
//
//	leadership ── leading ──▶ LIST pods with the label ──▶ off the others of this Lease ──▶ on our own, with the mark
//	          └── not ──────▶ off our own
//
// The mark is an annotation with the label's own key: the Lease and the term's token. By it two workloads in one
// namespace can use one label, and two elections of one pod two labels.
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
	// attemptTimeout bounds one Apply, all of its requests together.
	attemptTimeout = 3 * time.Second
	// firstLook and lastLook are the pauses until the leader looks at the pods again; they double in between. A request
	// that was overtaken shows soon after a handover.
	firstLook, lastLook = time.Second, 64 * time.Second
	// refusedPause is how long the signal asks for nothing after a refusal that time alone will not change.
	refusedPause = 30 * time.Second
)

// errLapsed stops the labelling of a pod whose term ran out meanwhile.
var errLapsed = errors.New("the term expired while its pod was being labelled")

// mismatch is the error of a pod that must not be labelled. Only a new configuration changes that.
type mismatch struct{ error }

// Signal puts the label on the leader's pod and takes it off all others of the election.
type Signal struct {
	cfg  Config
	pods pods

	inspected bool   // our own pod has been looked at, and it may be labelled
	known     bool   // whether shown is what the API server has
	shown     string // the token whose mark our pod has; "" for none
	look      bootclock.Instant
	pause     time.Duration // from the last look to the next

	refusal error // the newest refusal, and the token that it was for
	refused string
	until   bootclock.Instant
}

var _ signals.Signal = (*Signal)(nil)

// New returns the signal. It contacts nobody.
func New(cfg Config) *Signal {
	return &Signal{cfg: cfg, pods: pods{cfg.API, cfg.Namespace}}
}

// Name returns "pod-label".
func (s *Signal) Name() string { return "pod-label" }

// Apply makes the pods show the leadership. It sends nothing where they are known to show it, but for a leader's look now
// and then. It takes 3 s at the most.
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

// note keeps what is known after an attempt, and when to try again.
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

// lasting reports whether the same request would be refused again: rights and policies change by hand only.
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
		if err := s.pods.patch(ctx, own, s.cfg.Label.Key, nil, nil); err != nil && !gone(err) {
			return err
		}
		return nil
	}
	return s.lead(ctx, l, own)
}

// inspect looks at our own pod, once: whether it is there and ours, and whether the key is free. A key of the
// workload's own must never change: controllers and Services select pods by it.
func (s *Signal) inspect(ctx context.Context, leading bool) error {
	if s.inspected {
		return nil
	}
	pod, err := s.pods.get(ctx, s.cfg.Pod)
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

// lead takes the label from the others and puts it on our own pod. A pod that cannot be cleared does not keep ours from
// the label: without it the Service would have no endpoint at all.
func (s *Signal) lead(ctx context.Context, l leadership.Leadership, own metadata) error {
	labelled, err := s.pods.list(ctx, s.cfg.Label)
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
			// On the version that was listed: should that pod lead by now, its new mark is not taken off.
			if err := s.pods.patch(ctx, pod, key, nil, nil); err != nil && apiserver.Status(err) != http.StatusNotFound {
				faults = append(faults, err)
			}
		}
	}
	if !l.At(s.cfg.Clock.Now()).IsLeader {
		return errors.Join(append(faults, errLapsed)...)
	}
	if !marked {
		faults = append(faults, s.pods.patch(ctx, own, key, &s.cfg.Label.Value, &mark))
	}
	return errors.Join(faults...)
}

// election names the Lease with its namespace: pods of one namespace may belong to Leases of several.
func election(l leadership.Leadership) string { return l.Namespace + "/" + l.Lease }
