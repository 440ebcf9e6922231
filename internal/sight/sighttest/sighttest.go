// Package sighttest holds what the tests of several sights share.
package sighttest

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// Events collects what a sight under test reports: changes, and crashes of the workload.
type Events struct {
	// Changes is buffered, with one slot: several changes count as one.
	Changes chan struct{}
	crashes chan struct{}
}

// NewEvents returns Events without any.
func NewEvents() *Events {
	return &Events{Changes: make(chan struct{}, 1), crashes: make(chan struct{}, 100)}
}

// Changed is the function for Watch.
func (e *Events) Changed() {
	select {
	case e.Changes <- struct{}{}:
	default: // a change is pending already
	}
}

// Ended is the function for the end of the workload while this replica leads.
func (e *Events) Ended() { e.crashes <- struct{}{} }

// Wants waits for a state. It looks only after changes.
func (e *Events) Wants(t *testing.T, want sight.State, state func() sight.State) {
	t.Helper()
	overdue := time.After(10 * time.Second)
	for state() != want {
		select {
		case <-e.Changes:
		case <-overdue:
			t.Fatalf("not within 10 s: %s; it is %s", want, state())
		}
	}
}

// WantsCrash waits until a crash is reported.
func (e *Events) WantsCrash(t *testing.T) {
	t.Helper()
	select {
	case <-e.crashes:
	case <-time.After(5 * time.Second):
		t.Fatal("its end while leading was not reported as a crash")
	}
}

// WantsNoCrash checks that no crash was reported.
func (e *Events) WantsNoCrash(t *testing.T) {
	t.Helper()
	select {
	case <-e.crashes:
		t.Error("a crash was reported")
	default:
	}
}

// Leads returns the leadership of a replica that leads for longer than a test lasts.
func Leads() leadership.Leadership {
	clock := bootclock.System{}
	l := leadershiptest.Leading(clock, "5")
	l.ValidUntil = clock.Now().Add(time.Hour)
	return l
}
