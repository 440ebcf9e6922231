package elector

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary is a log that keeps its records, each as "reason: message", and what is wrong with them.
type diary struct {
	mu     sync.Mutex
	lines  []string
	faults []string
}

func (*diary) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (d *diary) WithAttrs([]slog.Attr) slog.Handler         { return d }
func (d *diary) WithGroup(string) slog.Handler              { return d }

// Handle implements [slog.Handler].
func (d *diary) Handle(_ context.Context, r slog.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	reason := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			reason = a.Value.String()
		}
		if a.Value.Kind() == slog.KindDuration || a.Value.Kind() == slog.KindInt64 && a.Key != "transitions" {
			d.faults = append(d.faults, fmt.Sprintf("%q: %s has no unit", r.Message, a))
		}
		return true
	})
	if reason == "" {
		d.faults = append(d.faults, fmt.Sprintf("%q has no reason", r.Message))
	}
	d.lines = append(d.lines, reason)
	return nil
}

// TestLogOfALife reads what a holder logs from its start to its end, with what the stop-waiter logs between, and what the
// next process in its pod logs after a crash: in the order in which it happened, each thing once.
func TestLogOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		log := slog.New(&d)
		f := newFleet(t, 0, nil)
		dir := t.TempDir()
		stops := func(context.Context, Drain) Outcome {
			log.Info("the workload counts as stopped", "reason", "WorkloadStopped")
			return WorkloadStopped
		}
		run := func(hold *Hold, stopWait func(context.Context, Drain) Outcome) *member {
			hold.bootID = "boot"
			m := f.join("web-0_a", func(_ *Config, p *parts) {
				p.Log, p.Hold, p.StopWait = log, hold, stopWait
				p.Rand = func() float64 { return 0.5 } // one in 500 draws makes no wait, and so no line for it
			})
			f.members = []*member{m}
			f.leader(20 * time.Second)
			return m
		}
		hold := openHold(t, dir)
		first := run(hold, hangs)
		first.crash(t, hold)
		d.mu.Lock()
		began := slices.Clone(d.lines)
		d.lines = nil
		d.mu.Unlock()

		second := run(openHold(t, dir), stops)
		if err := second.StepDown("test"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		second.cancel()
		<-second.ended

		if got, want := strings.Join(began[:4], " "), "StandingBy WaitingForExpiry TakingLease BecameLeader"; got != want { // no Lease, then an empty one
			t.Errorf("from the start to the lead: %s, want %s", got, want)
		}
		if got, want := strings.Join(d.lines, " "), "TakingLease TermResumed HandingOver WorkloadStopped Released StandingBy"; got != want {
			t.Errorf("from the resume to the end: %s, want %s", got, want)
		}
		for _, fault := range d.faults {
			t.Error(fault)
		}
	})
}
