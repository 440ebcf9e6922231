// Package lease holds the record that an election turns on, and the [Store] that keeps it.
//
// A Store promises compare-and-swap: an Update succeeds only on the very version it was made from, of the very
// object (UID). It does not promise that a failed or timed-out write was not applied: only a later read shows.
//
//	elector → lease.Store ← lease/kube (the Kubernetes API)
//	                      ← lease/dir  (a directory on one machine)
package lease

import (
	"context"
	"errors"
)

// What a [Store] answers where a caller must distinguish cases. Any other error leaves open whether the request was applied.
var (
	// ErrNotFound: there is no such Lease now.
	ErrNotFound = errors.New("the Lease does not exist")
	// ErrExists: a Create found the Lease already there.
	ErrExists = errors.New("the Lease exists already")
	// ErrConflict: an Update was refused because the Lease has changed (or was replaced) since its version.
	ErrConflict = errors.New("the Lease has changed since it was read")
	// ErrForbidden: the credentials do not allow the verb. Wrapping errors name the verb, the resource and the missing rule.
	ErrForbidden = errors.New("not allowed")
	// ErrExpired: a Watch can no longer start from the version asked for (HTTP 410): read again first.
	ErrExpired = errors.New("the watch's start version is too old")
)

// Event is one change seen by a watch.
type Event struct {
	// Record is the Lease after the change; of a deletion, its last state with the deletion's version.
	Record Record
	// Deleted says that the change removed the Lease.
	Deleted bool
}

// Store keeps one Lease. Its methods may be called from several goroutines at once. Each call is one attempt without retries,
// and ends when ctx does. Get, Create and Update return the Lease as the store holds it after the request.
type Store interface {
	// Get reads the Lease from the store's quorum, never from a cache. Errors: [ErrNotFound], [ErrForbidden].
	Get(ctx context.Context) (Record, error)
	// Create makes the Lease from r, whose UID and Version it ignores. Errors: [ErrExists], [ErrForbidden].
	Create(ctx context.Context, r Record) (Record, error)
	// Update replaces the Lease by r, on the condition that its UID and Version are still r's. What r does not
	// model (foreign labels, annotations, owners) is kept. Errors: [ErrConflict], [ErrNotFound], [ErrForbidden].
	Update(ctx context.Context, r Record) (Record, error)
	// Watch calls deliver for every change after from, in order, until ctx ends or the watch breaks, and returns why: nil
	// where the store closed it in good order. With from "" it first delivers the present state, if there is any. It calls
	// connected, where not nil, once the watch stands. It calls both from its own goroutine. Errors: [ErrExpired], [ErrForbidden].
	Watch(ctx context.Context, from Version, connected func(), deliver func(Event)) error
}
