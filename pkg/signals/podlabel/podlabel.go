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
var errLapsed = errors.New("the term ran out while its pod was being labelled")

// misfit is a pod that must not be labelled: only a new configuration changes that.
type misfit struct{ error }

// Config says whose pod is labelled; all of it is needed.
type Config struct {
	// API is the way to the API server.
	API apiserver.Client
	// Namespace, Pod and UID name this replica's own pod.
	Namespace, Pod, UID string
	// Label is what the leader's pod bears.
	Label Label
	// Clock judges terms.
	Clock bootclock.Clock
}

// Signal puts the label on the leader's pod and takes it off all others of the election.
type Signal struct {
	cfg  Config
	pods pods

	inspected bool   // our own pod has been looked at, and it may be labelled
	known     bool   // whether shown is what the API server has
	shown     string // the token whose mark our pod bears; "" for none
	look      bootclock.Instant
	pause     time.Duration // from the last look to the next

	refusal error // the newest refusal, and the level that it was for
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

// Apply makes the pods show the level. It sends nothing where they are known to show it, but for a leader's look now
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
	if never := (misfit{}); errors.As(err, &never) {
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
		return nil // another pod, or none: nothing of ours bears the label
	case err == nil:
		return misfit{fmt.Errorf("label pod %s: it has UID %s, not %s: set POD_UID from the downward API's metadata.uid",
			s.cfg.Pod, pod.UID, s.cfg.UID)}
	default:
		return err
	}
	if value, taken := pod.Labels[s.cfg.Label.Key]; taken && value != s.cfg.Label.Value {
		return misfit{fmt.Errorf("label pod %s: it bears %s=%s already, which is not ours to change: choose another key",
			s.cfg.Pod, s.cfg.Label.Key, value)}
	}
	s.inspected = true
	return nil
}

// lead takes the label from the others and puts it on our own pod. A pod that cannot be cleared does not keep ours from
// the label: without it the Service would have no endpoint at all.
func (s *Signal) lead(ctx context.Context, l leadership.Leadership, own metadata) error {
	bearing, err := s.pods.list(ctx, s.cfg.Label)
	if err != nil {
		return err
	}
	key, mark := s.cfg.Label.Key, lease(l)+" "+l.Token
	var faults []error
	marked := false
	for _, pod := range bearing {
		theirs, _, _ := strings.Cut(pod.Annotations[key], " ")
		switch {
		case pod.UID == own.UID:
			marked = pod.Annotations[key] == mark
		case theirs == lease(l):
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

// lease names the election: pods of one namespace may belong to Leases of several.
func lease(l leadership.Leadership) string { return l.Namespace + "/" + l.Lease }
