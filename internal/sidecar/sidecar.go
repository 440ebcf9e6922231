//go:build linux

package sidecar

import (
	"cmp"
	"context"
	"errors"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// Sidecar is one candidate of one election with everything that signals for it. Make it with [New].
type Sidecar struct {
	cfg   Config
	store lease.Store
	api   *kube.Client // nil where the store is a directory
}

var errQuit = errors.New("POST /quitquitquit")

// New returns a sidecar that does nothing until [Sidecar.Run]. It opens the store, which contacts nobody, and fails with a
// [*ResourceError] where that cannot be opened. The Config's values are expected to be valid on their own.
func New(cfg Config) (*Sidecar, error) {
	store, api, err := cfg.Store.open(cfg.Election.Namespace, cfg.Election.Lease, cfg.Log)
	if err != nil {
		return nil, &ResourceError{Field: "Store", err: err}
	}
	return &Sidecar{cfg: cfg, store: store, api: api}, nil
}

// Run campaigns until ctx ends, a stop signal comes (see [stopSignals]) or POST /quitquitquit is sent, and hands over then. It
// waits for the signal directory's lock first. It returns nil after a good end; else a [*ResourceError], an
// [*elector.CollisionError], [elector.ErrLeadershipLost] or a [CommandStatus], by errors.As and errors.Is. Everything that it has
// started has ended when it returns. It may be called again then, not at once.
func (s *Sidecar) Run(ctx context.Context) error {
	ctx, again, release := catchStops(ctx, stopSignals(s.cfg.Command != nil))
	defer release()
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
	// Without the lock from the start there may be, or have just been, another process with the pod's own identity.
	identity, err := s.cfg.Candidate.Identity(hold != nil && !waited)
	if err != nil {
		return err
	}
	c, err := s.assemble(hold, identity, quit)
	if err != nil {
		return err
	}
	e := s.cfg.Election
	c.log.Info("campaigning", "reason", "Campaigning", "version", s.cfg.Version, "lease", e.Lease, "namespace", e.Namespace,
		"workload", e.Workload, "identity", identity, "node", s.cfg.Node)
	if c.file != nil {
		self := c.elector.Leadership()
		self.Token = s.resumable(hold, identity)
		stands, err := c.file.Adopt(self)
		if err != nil {
			c.log.Warn("the signal directory cannot be put right", "reason", "SignalDirUnusable", "error", err)
		}
		// The document of the process before stands until the Lease has been read: the election publishes nothing before that.
		if c.stands = stands.IsLeader; !c.stands {
			c.publish(c.elector.Leadership()) // a reader must find a document, also while there is a term to resume
		} else if c.events != nil {
			c.events.Resume(stands)
		}
	}
	err = c.run(ctx, again)
	c.log.Info("ended", "reason", "Ended", "cause", cmp.Or(context.Cause(ctx), c.cause, err))
	return errors.Join(err, c.close())
}
