//go:build linux

package sidecar

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// bystander is an election that never leads.
type bystander struct{}

func (bystander) SetHealthy(bool, string)           {}
func (bystander) Leadership() leadership.Leadership { return leadership.Leadership{} }

// The end of the health endpoint shows less than the end of the process, where that is seen: a process may close its endpoint and
// work on.
func TestEndpointIsNoSightBesideAProcess(t *testing.T) {
	for name, c := range map[string]struct {
		process process.Target
		want    []string
	}{
		"alone":            {process.Target{}, []string{"health", "running"}},
		"beside a process": {process.Target{Name: "nobody-is-called-so"}, []string{"process", "running"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := built(t, Config{Process: process.Config{Target: c.process}, HealthProvesStop: true, Health: health.Config{
				TCP: "127.0.0.1:1", Interval: time.Second, Timeout: time.Second, Threshold: 1, SuccessThreshold: 1,
			}})
			var got []string
			for _, one := range k.sights() {
				got = append(got, one.Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the sights are %q, want %q", got, c.want)
			}
		})
	}
}

// silent is an API server that answers nothing; building the parts asks it nothing.
type silent struct{}

func (silent) Send(ctx context.Context, _, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// built returns the parts of a configuration, and closes them in the end.
func built(t *testing.T, cfg Config) *kit {
	t.Helper()
	k := &kit{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: bootclock.System{}, board: health.NewBoard(bystander{}), api: silent{}}
	if err := k.build(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.close() })
	return k
}

// TestOutputs is the table of ADR 0009: how far a handover waits for each signal, and whether it uses the network.
func TestOutputs(t *testing.T) {
	hook := func(text string) *webhook.Config {
		url, err := webhook.ParseURL(text)
		if err != nil {
			t.Fatal(err)
		}
		return &webhook.Config{URL: url, Timeout: time.Second}
	}
	label := podlabel.Label{Key: "example.com/leader", Value: "true"}
	here := Config{
		SignalDir: t.TempDir(), Process: process.Config{Target: process.Target{Name: "nobody-is-called-so"}},
		Webhook: hook("http://127.0.0.1:1/"), Label: &label, Events: true,
	}
	type output struct {
		wait   signals.Wait
		remote bool
	}
	for name, c := range map[string]struct {
		cfg  Config
		want map[string]output
	}{
		"all, and a webhook of the pod's own": {here, map[string]output{
			"events": {signals.Required(), false}, "file": {signals.Required(), false}, "process": {signals.Required(), false},
			"webhook": {signals.Required(), true}, "pod-label": {signals.BestEffort(labelMoment), true}, "lease-events": {signals.NoWait(), true},
		}},
		"a webhook elsewhere": {Config{Webhook: hook("https://example.com/")}, map[string]output{
			"events": {signals.Required(), false}, "webhook": {signals.NoWait(), true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := built(t, c.cfg)
			got := map[string]output{}
			for _, one := range k.signalOutputs() {
				got[one.Signal.Name()] = output{one.Wait, one.Remote}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("the outputs are %+v, want %+v", got, c.want)
			}
		})
	}
}
