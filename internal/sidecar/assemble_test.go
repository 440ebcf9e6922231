//go:build linux

package sidecar

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// bystander is a candidate that never leads.
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
		"alone":            {process.Target{}, []string{"health"}},
		"beside a process": {process.Target{Name: "nobody-is-called-so"}, []string{"process"}},
	} {
		t.Run(name, func(t *testing.T) {
			log, clock := slog.New(slog.DiscardHandler), bootclock.System{}
			cfg := Config{Process: process.Config{Target: c.process}, HealthProvesStop: true, Health: health.Config{
				TCP: "127.0.0.1:1", Interval: time.Second, Timeout: time.Second, Threshold: 1, SuccessThreshold: 1,
			}}
			candidate := &candidate{log: log, board: health.NewBoard(bystander{})}
			o, err := cfg.openOutlets(candidate, nil, log, clock)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = candidate.close() }()
			var got []string
			for _, one := range o.sights {
				got = append(got, one.Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the sights are %q, want %q", got, c.want)
			}
		})
	}
}
