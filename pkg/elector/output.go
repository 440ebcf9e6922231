package elector

import (
	"context"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// output is what the machine wants done after a step, in this order: save the hold, publish, then the rest. Whatever is
// nil or zero is not wanted.
type output struct {
	hold        *holdWrite
	leadership  *leadership.Leadership // the newest, for Publish and for whoever asks
	stopWaiting bool                   // for the workload's stop
	stopWait    *stopWait              // wait for it, in place of any wait before
	abandoned   bool                   // the drain is over, though the workload was not seen to stop
	watch       *watchFrom             // open a watch, in place of the one before
	request     *request
	answer      *answer // to an order
	unready     string  // why this candidate could not lead; "" where it could
	notes       []note
	wake        bootclock.Instant // tick then; zero: time alone changes nothing
	done        bool
	err         error // with done: why the election cannot go on
}

// holdWrite is a hold to write, with the number by which a failure is reported.
type holdWrite struct {
	number int
	HoldState
}

// stopWait is a [Drain] with the number of its answer.
type stopWait struct {
	number int
	Drain
}

// watchFrom asks for a watch from a version on.
type watchFrom struct {
	number  int
	version lease.Version
}

// answer is that to the order with its number: nil where the order was taken.
type answer struct {
	number int
	err    error
}

// verb is a kind of request to the store.
type verb string

const (
	verbGet     verb = "get"
	verbCreate  verb = "create"
	verbTake    verb = "update"
	verbRenew   verb = "renew"
	verbRelease verb = "release"
)

// request is one attempt at the store. At most one is in flight.
type request struct {
	number  int
	verb    verb
	record  lease.Record  // to write; unused by get
	known   lease.Version // the newest version known when it was sent
	sent    bootclock.Instant
	timeout time.Duration
}

// perform sends the request.
func (r *request) perform(ctx context.Context, store lease.Store) (lease.Reply, error) {
	switch r.verb {
	case verbGet:
		return store.Get(ctx)
	case verbCreate:
		return store.Create(ctx, r.record)
	default:
		return store.Update(ctx, r.record)
	}
}

// note is a line for the log.
type note struct {
	severity slog.Level
	reason   reason
	text     string
	attrs    []slog.Attr
}

// all returns the record's attributes, its reason first.
func (n note) all() []slog.Attr {
	if n.reason == "" {
		return n.attrs
	}
	return append([]slog.Attr{slog.String("reason", string(n.reason))}, n.attrs...)
}

// reason is the stable name of a log record, to find it by and to alert on. Records for debugging have none.
type reason string

// Why a term ended.
const (
	released              reason = "Released" // the only end that was planned
	renewDeadlineExceeded reason = "RenewDeadlineExceeded"
	holderChanged         reason = "HolderChanged"
	holderCleared         reason = "HolderCleared"
	leaseDeleted          reason = "LeaseDeleted"
	storeRestored         reason = "StoreRestored"
	workloadCollision     reason = "WorkloadCollision"
	twinIdentity          reason = "TwinIdentity"
	drainAbandoned        reason = "DrainAbandoned"
)

// note adds a line for the log.
func (m *machine) note(severity slog.Level, r reason, text string, attrs ...slog.Attr) {
	m.out.notes = append(m.out.notes, note{severity, r, text, attrs})
}

func (m *machine) info(r reason, text string, attrs ...slog.Attr) {
	m.note(slog.LevelInfo, r, text, attrs...)
}

func (m *machine) warn(r reason, text string, attrs ...slog.Attr) {
	m.note(slog.LevelWarn, r, text, attrs...)
}

func (m *machine) debug(text string, attrs ...slog.Attr) {
	m.note(slog.LevelDebug, "", text, attrs...)
}

// detail is what a log record says in prose.
func detail(text string) slog.Attr { return slog.String("detail", text) }

// span is a duration for the log.
func span(key string, d time.Duration) slog.Attr {
	return slog.String(key, d.Round(time.Millisecond).String())
}
