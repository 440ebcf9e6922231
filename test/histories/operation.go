package histories

import (
	"fmt"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Act is a kind of [Operation].
type Act uint8

// What happens in a history.
const (
	// Acquire: a worker comes to be told that it leads.
	Acquire Act = iota
	// Release: a worker is told so no more, before its validity has run out.
	Release
	// Expire: a worker is told so no more, as its validity has run out or its node has died.
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

// String tells the operation as people would, such as "write 7 under token 12: refused".
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
