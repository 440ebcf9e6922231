//go:build linux

package bench

import (
	"context"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// The kinds, at their defaults and with short durations.
var (
	sidecarKind      = kind{result.Sidecar, timing{15 * time.Second, 10 * time.Second, 3 * time.Second}, campaignSidecar}
	clientGoKind     = kind{result.ClientGo, timing{15 * time.Second, 10 * time.Second, 2 * time.Second}, campaignClientGo}
	shortSidecarKind = kind{result.Short, timing{duration: 5 * time.Second}, campaignSidecar}
	tunedKind        = kind{result.Tuned, timing{5 * time.Second, 3 * time.Second, time.Second}, campaignClientGo}
)

// campaignSidecar makes a candidate of this project: its elector on its store. What the program adds (signals, hold, HTTP) sends
// nothing to the API server.
func campaignSidecar(ctx context.Context, e *electorate, c *candidate) (run func(), err error) {
	client, err := kube.NewClient(c.line.config(c.access), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	cfg := elector.Default()
	cfg.Duration, cfg.RenewDeadline, cfg.RenewInterval = e.kind.timing.duration, e.kind.timing.deadline, e.kind.timing.interval
	cfg = cfg.WithDefaults()
	cfg.Namespace, cfg.Lease, cfg.Workload, cfg.Identity = e.namespace, e.lease, e.workload, naming.Identity(c.identity)
	one, err := elector.New(cfg, elector.Deps{
		Store: counted{client.Lease(e.namespace, e.lease), e.count}, Log: slog.New(warnings{c, e.lost}),
	})
	if err != nil {
		return nil, err
	}
	c.prefer = func(successor string) { one.Prefer(elector.Preference{Successor: successor}) }
	return func() {
		if err := one.Run(ctx, elector.Outputs{Publish: func(l leadership.Leadership) { e.leads(c, l.IsLeader) }}); err != nil {
			e.lost.note(err.Error())
		}
	}, nil
}

// counted counts the events that watches deliver, and notes how far a take has come.
type counted struct {
	lease.Store

	count *traffic
}

// Watch implements [lease.Store].
func (c counted) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	return c.Store.Watch(ctx, from, connected, func(e lease.Event) {
		c.count.events.Add(1)
		c.count.takes.hears(e.Record.Version)
		deliver(e)
	})
}

// Update implements [lease.Store].
func (c counted) Update(ctx context.Context, r lease.Record) (lease.Record, error) {
	began := time.Now()
	stored, err := c.Store.Update(ctx, r)
	if err == nil && r.Holder != "" && r.AcquireTime.Equal(r.RenewTime) { // the first write of a term
		c.count.takes.took(stored.Version, began)
	}
	return stored, err
}

// warnings notes the reasons of an elector's warnings, unless it was asked to end: one that was killed complains.
type warnings struct {
	c    *candidate
	lost *losses
}

// Enabled implements [slog.Handler].
func (w warnings) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && !w.c.asked.Load()
}

// Handle implements [slog.Handler].
func (w warnings) Handle(_ context.Context, r slog.Record) error { //nolint:gocritic // the interface's
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			w.lost.note(a.Value.String())
		}
		return a.Key != "reason"
	})
	return nil
}

// WithAttrs implements [slog.Handler].
func (w warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup implements [slog.Handler].
func (w warnings) WithGroup(string) slog.Handler { return w }

// campaignClientGo makes a candidate of client-go's elector, with the client that its users make.
func campaignClientGo(ctx context.Context, e *electorate, c *candidate) (run func(), err error) {
	client, err := coordination.NewForConfig(c.line.config(c.access))
	if err != nil {
		return nil, err
	}
	one, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: e.lease}, Client: client,
			LockConfig: resourcelock.ResourceLockConfig{Identity: c.identity},
		},
		LeaseDuration: e.kind.timing.duration, RenewDeadline: e.kind.timing.deadline, RetryPeriod: e.kind.timing.interval,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { e.leads(c, true) },
			OnStoppedLeading: func() {
				if c != e.leader.Load() || c.asked.Load() {
					return
				}
				e.lost.terms.Add(1)
				e.lost.note("OnStoppedLeading")
			},
		},
	})
	if err != nil {
		return nil, err
	}
	return func() { one.Run(ctx) }, nil
}
