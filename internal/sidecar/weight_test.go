//go:build linux

package sidecar

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// renewalBudget is the most allocations of one renewal, one and a half times what was measured on 26 November 2026 (790): a request
// to a store in a directory, which is most of them, the election's step, the hold, the files, the event stream and the metrics.
// TestAllocations of package kube does the same for a request to the API server.
const renewalBudget = 1200

// TestRenewalAllocations counts what a leader allocates from renewal to renewal while nothing else happens.
func TestRenewalAllocations(t *testing.T) {
	cfg, _ := testConfig(t)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, nil) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	term := func() leadership.Leadership {
		l, err := leadership.Read(cfg.SignalDir)
		if err != nil || !l.IsLeader {
			t.Fatalf("%+v, %v: it does not lead", l, err)
		}
		return l
	}
	guardtest.Within(t, "it leads", func() bool {
		l, err := leadership.Read(cfg.SignalDir)
		return err == nil && l.IsLeader
	})
	time.Sleep(3 * cfg.Election.RenewInterval / 2) // what the first renewal makes for all of them is there
	first, before, after := term(), runtime.MemStats{}, runtime.MemStats{}
	runtime.ReadMemStats(&before)
	time.Sleep(3 * cfg.Election.RenewInterval)
	runtime.ReadMemStats(&after)
	last := term()
	renewals := float64(last.ValidUntil.Sub(first.ValidUntil)) / float64(cfg.Election.RenewInterval)
	each := float64(after.Mallocs-before.Mallocs) / renewals
	t.Logf("%.1f renewals, each with %.0f allocations, %.0f bytes", renewals, each, float64(after.TotalAlloc-before.TotalAlloc)/renewals)
	if last.Token != first.Token || renewals < 2 || each > renewalBudget || each < 10 {
		t.Errorf("%.1f renewals of token %s, then %s, each with %.0f allocations; want one token, at least 2 and at most %d",
			renewals, first.Token, last.Token, each, renewalBudget)
	}
}
