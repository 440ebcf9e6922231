package health

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Board combines what several voices say of one workload: one that says unhealthy is enough. What says nothing counts as
// healthy. Make it with [NewBoard]. Its methods may be called from several goroutines at once.
type Board struct {
	election Election

	mu        sync.Mutex
	unhealthy map[string]string // why, by the voice that says so
}

// NewBoard returns a board that reports to the election, and on which no voice has said anything.
func NewBoard(election Election) *Board {
	return &Board{election: election, unhealthy: map[string]string{}}
}

// Voice returns the voice of that name, such as "health". Voices of one name are one voice.
func (b *Board) Voice(name string) Voice { return Voice{b, name} }

// Voice is one of those that say whether the workload is healthy.
type Voice struct {
	board *Board
	name  string
}

var _ Election = Voice{}

// Leadership returns what the election knows now.
func (v Voice) Leadership() leadership.Leadership { return v.board.election.Leadership() }

// SetHealthy replaces what the voice said last, and reports to the election what follows from all voices: healthy, with the
// reason given here, or unhealthy, with the reasons of all voices that say so.
func (v Voice) SetHealthy(healthy bool, why string) {
	b := v.board
	b.mu.Lock()
	defer b.mu.Unlock() // the reports come in the order of the changes
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
