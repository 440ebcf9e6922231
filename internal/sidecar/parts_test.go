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
			k := kit{log: slog.New(slog.DiscardHandler), clock: bootclock.System{}, board: health.NewBoard(bystander{})}
			k.cfg = Config{Process: process.Config{Target: c.process}, HealthProvesStop: true, Health: health.Config{
				TCP: "127.0.0.1:1", Interval: time.Second, Timeout: time.Second, Threshold: 1, SuccessThreshold: 1,
			}}
			if err := k.build(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = k.close() }()
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
