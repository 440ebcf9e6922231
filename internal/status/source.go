package status

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// Source is where Leases are read: a selection of the API server's, or a directory.
type Source interface {
	// List returns all Leases, and the version from which Watch continues.
	List(ctx context.Context) ([]coordinationv1.Lease, lease.Version, error)
	// Watch calls deliver for every change after from, and now and then without a Lease, as a proof of life, until ctx ends or the watch breaks, and
	// returns why: nil where it ended in good order. Errors: [lease.ErrExpired].
	Watch(ctx context.Context, from lease.Version, deliver func(kube.Change)) error
}

// listBound is how long a whole list may take.
const listBound = time.Minute

// read lists a source within listBound.
func read(ctx context.Context, s Source) ([]coordinationv1.Lease, lease.Version, error) {
	bounded, cancel := context.WithTimeout(ctx, listBound)
	defer cancel()
	all, version, err := s.List(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %s: %w", listBound, err)
	}
	return all, version, err
}

var (
	_ Source = kube.Selection{}
	_ Source = Directory{}
)
