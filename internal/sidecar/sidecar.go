//go:build linux

package sidecar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Sidecar is one replica in one election, with all its signals. Make it with [New].
type Sidecar struct {
	cfg   Config
	log   *slog.Logger
	store lease.Store
	api   apiserver.Client // nil if the store is a directory

	members lease.Members // nil if the membership is off
}

// firstLook bounds the first look for another workload's Lease; the election looks again.
const firstLook = time.Second

// errQuit is the cause of an end requested over HTTP.
var errQuit = errors.New("POST /quitquitquit")

// New returns a sidecar that does nothing until [Sidecar.Run]. It opens the store without a request. It fails as
// [Config.Validate] does, or with a [*ResourceError] if the store cannot be opened.
func New(cfg Config) (*Sidecar, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	log := cfg.Log
	if cfg.Node != "" {
		log = log.With("node", cfg.Node)
	}
	store, api, err := cfg.Store.open(cfg.Election.Namespace, cfg.Election.Lease, log)
	if err != nil {
		return nil, &ResourceError{Field: "Store", err: err}
	}
	s := &Sidecar{cfg: cfg, log: log, store: store, api: api}
	if cfg.Membership != nil {
		if s.members, err = cfg.Store.openMembers(cfg.Election.Namespace, cfg.Election.Lease, log); err != nil {
			return nil, &ResourceError{Field: "Store", err: err}
		}
	}
	return s, nil
}

// Run first waits for the signal directory's lock. It campaigns until ctx ends or POST /quitquitquit is sent, then hands
// over. Each value of abandon, which may be nil, ends all waiting for the workload: the Lease's end then covers the rest of
// its work. Run catches no operating-system signal.
//
// It returns nil after a good end, else an error that holds a [*ResourceError], an [*elector.CollisionError],
// [elector.ErrLeadershipLost] or a [CommandStatus]. Everything it started has ended by then. Calls must not overlap.
func (s *Sidecar) Run(ctx context.Context, abandon <-chan struct{}) error {
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)

	if err := s.refuseCollision(ctx); err != nil {
		return err
	}
	hold, waited, err := s.lock(ctx)
	if hold != nil {
		defer hold.Close()
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	// Without the lock from the start, a process with the pod's own identity may exist or have just ended.
	identity, err := s.cfg.Replica.Identity(hold != nil && !waited)
	if err != nil {
		return err
	}
	a, err := s.build(hold, identity, quit)
	if err != nil {
		return err
	}
	e := s.cfg.Election
	s.log.Info("campaigning", "reason", "Campaigning", "version", s.cfg.Version, "lease", e.Lease, "namespace", e.Namespace,
		"workload", e.Workload, "store", s.cfg.Store.Name(), "identity", identity)
	stands := s.adopt(a, hold, identity)
	cause, err := a.run(ctx, abandon, stands)
	s.log.Info("ended", "reason", "Ended", "cause", cmp.Or(context.Cause(ctx), cause, err))
	return errors.Join(err, a.close())
}

// refuseCollision ends a sidecar whose Lease is another workload's before it touches anything. A silent store passes.
func (s *Sidecar) refuseCollision(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	reply, err := s.store.Get(ctx)
	e := s.cfg.Election
	other, ours := reply.Workload, e.Workload
	if err != nil || other == "" || ours == "" || other == ours {
		return nil //nolint:nilerr // the election reads again and reports the fault
	}
	return &elector.CollisionError{Lease: e.Lease, Namespace: e.Namespace, Workload: ours, Other: other}
}

// adopt takes over what an earlier process left in the signal directory, and reports whether its document is still valid: it
// then stands until the Lease is read. Otherwise adopt publishes a first document.
func (s *Sidecar) adopt(a *assembly, hold *elector.Hold, identity naming.Identity) (stands bool) {
	if a.file == nil {
		return false
	}
	self := a.elector.Leadership()
	self.Token = s.resumable(hold, identity)
	adopted, err := a.file.Adopt(self)
	if err != nil {
		s.log.Warn("the signal directory cannot be put right", "reason", "SignalDirUnusable", "error", err)
	}
	switch {
	case !adopted.IsLeader:
		a.outputs.Publish(a.elector.Leadership()) // readers must find a document, even if there is a term to resume
	case a.events != nil:
		a.events.Resume(adopted)
	}
	return adopted.IsLeader
}

// resumable returns the token of the term in an earlier process's hold file; "" if the file is void or the term is over.
func (s *Sidecar) resumable(hold *elector.Hold, identity naming.Identity) string {
	config, now := s.cfg.Election, bootclock.System{}.Now()
	config.Identity = identity
	state, ok := hold.Load(config.HoldKey(), now, now.Add(config.RenewDeadline))
	if !ok || !state.Leading {
		return ""
	}
	return state.Token
}

// ResourceError is the error of a directory, store or address that a field of the [Config] names and that cannot be used.
type ResourceError struct {
	// Field is the Config's field, such as "SignalDir".
	Field string
	err   error
}

// Error names the field. Use Unwrap to name it otherwise.
func (e *ResourceError) Error() string { return fmt.Sprintf("%s: %v", e.Field, e.err) }

// Unwrap returns the underlying error.
func (e *ResourceError) Unwrap() error { return e.err }

// CommandStatus is the exit status of a sidecar that ends with its command.
type CommandStatus int

// Error names the status.
func (s CommandStatus) Error() string {
	return fmt.Sprintf("the command has ended with status %d", int(s))
}
