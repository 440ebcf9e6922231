//go:build linux

package work

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// replicas is how many there are.
const replicas = 4

// slack is room for a slow machine in bounds from above.
const slack = 20 * time.Second

// field is where a schedule is played: one election and its replicas.
type field struct {
	seed     uint64
	election *harness.Election
	flags    []string // of every sidecar
	replicas []*replica
	began    bootclock.Instant
	span     time.Duration // how long faults may begin
	log      func(format string, args ...any)

	mu     sync.Mutex
	events []event
}

// event is something that was done, and when.
type event struct {
	what  string
	index int  // of the replica
	froze bool // the whole pod stood still
	span
}

// newField prepares an election of lease duration d on the run's cluster.
func newField(t *testing.T, seed uint64, d time.Duration) *field {
	t.Helper()
	f := &field{seed: seed, election: harness.NewElection(t, harness.Shared(t), d), log: t.Logf, began: now()}
	f.election.Ship(t)
	return f
}

func now() bootclock.Instant { return bootclock.System{}.Now() }

// killMargin is K of the protocol: by so long after validUntil the workload must have stopped.
func (f *field) killMargin() time.Duration {
	return min(3*time.Second, (f.election.Duration-f.election.RenewDeadline())*6/10)
}

// bound is how long a program that nothing kills works on after its signal: less than the kill margin.
func (f *field) bound() time.Duration { return f.killMargin() * 4 / 10 }

// leader returns the replica that publishes that it leads, nil where none is.
func (f *field) leader() *replica {
	for _, r := range f.replicas {
		if r.leads() {
			return r
		}
	}
	return nil
}

// note writes down that something begins, and returns what writes down its end.
func (f *field) note(what string, index int, froze bool) (over func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := len(f.events)
	f.events = append(f.events, event{what: what, index: index, froze: froze, span: span{now(), 1<<63 - 1}})
	f.log("%8s  web-%d (%s): %s", f.since(now()), index, f.replicas[index].mode, what)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events[i].to = now()
	}
}

// since says an instant as a time from the field's begin.
func (f *field) since(i bootclock.Instant) string {
	return fmt.Sprintf("%.3fs", i.Sub(f.began).Seconds())
}
