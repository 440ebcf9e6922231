package histories

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// History collects the operations of all clients on one clock. Its methods may be called from several goroutines.
type History struct {
	clock  func() bootclock.Instant
	values atomic.Int64

	mu         sync.Mutex
	operations []Operation
}

// NewHistory returns an empty history on that clock, which must be the same for all clients.
func NewHistory(clock func() bootclock.Instant) *History { return &History{clock: clock} }

// Now reads the history's clock.
func (h *History) Now() bootclock.Instant { return h.clock() }

// Fresh returns a value that nobody has written yet, so that a read shows which write it saw. A register starts at 0,
// which is never fresh.
func (h *History) Fresh() int { return int(h.values.Add(1)) }

// Add takes an operation that has ended.
func (h *History) Add(o Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
}

// Operations returns a copy of what happened so far, by the start of each.
func (h *History) Operations() []Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	operations := slices.Clone(h.operations)
	slices.SortStableFunc(operations, func(a, b Operation) int { return cmp.Compare(a.From, b.From) })
	return operations
}

// Tally returns the counts of what happened so far.
func (h *History) Tally() Tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Count(h.operations)
}

// Tally counts operations.
type Tally struct {
	// Clients is how many did something.
	Clients int
	// Terms, Released and Expired count the terms by their beginning and their end.
	Terms, Released, Expired int
	// Accepted and Refused count the writes, Reads the reads.
	Accepted, Refused, Reads int
}

// Count returns the counts of the operations.
func Count(operations []Operation) Tally {
	var t Tally
	clients := map[int]struct{}{}
	for _, o := range operations {
		clients[o.Client] = struct{}{}
		switch {
		case o.Act == Acquire:
			t.Terms++
		case o.Act == Release:
			t.Released++
		case o.Act == Expire:
			t.Expired++
		case o.Act == Read:
			t.Reads++
		case o.Refused:
			t.Refused++
		default:
			t.Accepted++
		}
	}
	t.Clients = len(clients)
	return t
}

// Add returns the counts of both together, of histories that share their clients.
func (t Tally) Add(u Tally) Tally {
	return Tally{
		Clients: max(t.Clients, u.Clients), Terms: t.Terms + u.Terms, Released: t.Released + u.Released,
		Expired: t.Expired + u.Expired, Accepted: t.Accepted + u.Accepted, Refused: t.Refused + u.Refused, Reads: t.Reads + u.Reads,
	}
}

// Operations is how many there were in all.
func (t Tally) Operations() int {
	return t.Terms + t.Released + t.Expired + t.Accepted + t.Refused + t.Reads
}

// String returns the counts in one line.
func (t Tally) String() string {
	return fmt.Sprintf("%d operations of up to %d clients: %d terms (%d released, %d expired), %d writes accepted, %d refused, %d reads",
		t.Operations(), t.Clients, t.Terms, t.Released, t.Expired, t.Accepted, t.Refused, t.Reads)
}

// Act is a kind of [Operation].
type Act uint8

// What happens in a history.
const (
	// Acquire: a worker finds that it leads.
	Acquire Act = iota
	// Release: a worker finds that it leads no more, before its validity has run out.
	Release
	// Expire: a worker finds that its validity has run out, or its node has died.
	Expire
	// Write puts a value into the register.
	Write
	// Read gets the register's value.
	Read
)

// Operation is one entry of a history. It took effect at some instant of its span.
type Operation struct {
	// Act is what it was.
	Act Act
	// Client is who did it.
	Client int
	// From and To are the span, both ends included, on the one clock of the history.
	From, To bootclock.Instant
	// Token is the term's, for all but Read.
	Token lease.Version
	// Value is what was written or read.
	Value int
	// Refused says that the register did not take the write.
	Refused bool
}

// String returns the operation as people would say it, such as "write 7 under token 12: refused".
func (o Operation) String() string {
	switch o.Act {
	case Acquire:
		return "acquire: token " + string(o.Token)
	case Release:
		return "release token " + string(o.Token)
	case Expire:
		return "token " + string(o.Token) + " expires"
	case Read:
		return fmt.Sprintf("read: %d", o.Value)
	}
	outcome := "accepted"
	if o.Refused {
		outcome = "refused"
	}
	return fmt.Sprintf("write %d under token %s: %s", o.Value, o.Token, outcome)
}
