package health

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Board combines several voices on one workload: it is unhealthy if any voice says so, else healthy. Make it with
// [NewBoard]. It is safe for concurrent use.
type Board struct {
	election Election

	mu        sync.Mutex
	unhealthy map[string]string // the reason, by the voice that says so
}

// NewBoard returns a board without voices that reports to the election.
func NewBoard(election Election) *Board {
	return &Board{election: election, unhealthy: map[string]string{}}
}

// Voice returns the voice of that name, such as "health". The same name gives the same voice.
func (b *Board) Voice(name string) Voice { return Voice{b, name} }

// Voice is one source of the workload's health.
type Voice struct {
	board *Board
	name  string
}

var _ Election = Voice{}

// Leadership returns the election's current leadership.
func (v Voice) Leadership() leadership.Leadership { return v.board.election.Leadership() }

// SetHealthy replaces the voice's last call, and reports the result to the election: healthy with this reason, or unhealthy
// with the reasons of all voices that say so.
func (v Voice) SetHealthy(healthy bool, why string) {
	b := v.board
	b.mu.Lock()
	defer b.mu.Unlock() // keeps the reports in the order of the changes
	if healthy {
		delete(b.unhealthy, v.name)
	} else {
		b.unhealthy[v.name] = why
	}
	if len(b.unhealthy) > 0 {
		healthy, why = false, strings.Join(slices.Sorted(maps.Values(b.unhealthy)), "; ")
	}
	b.election.SetHealthy(healthy, why)
}
