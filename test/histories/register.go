package histories

import (
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Register is the resource that the leader writes to: one value. Guarded, it refuses a write whose token is lower
// than the highest that it has accepted; unguarded, it takes whatever comes.
type Register struct {
	guarded bool

	mu      sync.Mutex
	highest lease.Version
	value   int
	stale   int
}

// NewRegister returns a register that holds 0.
func NewRegister(guarded bool) *Register { return &Register{guarded: guarded} }

// Write puts the value there, and reports whether it did.
func (r *Register) Write(token lease.Version, value int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if token.Compare(r.highest) < 0 {
		if r.guarded {
			return false
		}
		r.stale++
	} else {
		r.highest = token
	}
	r.value = value
	return true
}

// Read returns the value.
func (r *Register) Read() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value
}

// Stale is how many writes it took though their token was lower than one before.
func (r *Register) Stale() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stale
}
