package kube

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
)

// Store is a Lease in the Kubernetes API; [Client.Lease] opens it.
type Store struct {
	client          *Client
	namespace, name string
}

var _ lease.Store = (*Store)(nil)

// resource is the Leases' plural name in the API's paths and in RBAC.
const resource = "leases"

// Get implements [lease.Store]. Asking for no resourceVersion makes it a quorum read.
func (s *Store) Get(ctx context.Context) (lease.Record, error) {
	return s.send(ctx, "get", func(c *rest.RESTClient) *rest.Request { return c.Get().Name(s.name) })
}

// Create implements [lease.Store].
func (s *Store) Create(ctx context.Context, r lease.Record) (lease.Record, error) {
	r.UID, r.Version = "", ""
	o := r.Object(s.namespace, s.name)
	return s.send(ctx, "create", func(c *rest.RESTClient) *rest.Request { return c.Post().Body(o) })
}

// Update implements [lease.Store]: a PUT with metadata.uid and metadata.resourceVersion. Without the UID it could bring a
// deleted Lease back, as the API server creates Leases on update.
func (s *Store) Update(ctx context.Context, r lease.Record) (lease.Record, error) {
	if err := cas.Conditional(r.UID, r.Version); err != nil {
		return lease.Record{}, err
	}
	o := r.Object(s.namespace, s.name)
	return s.send(ctx, "update", func(c *rest.RESTClient) *rest.Request { return c.Put().Name(s.name).Body(o) })
}

// send makes one attempt, and reads the Lease from the answer.
func (s *Store) send(ctx context.Context, verb string, request func(*rest.RESTClient) *rest.Request) (lease.Record, error) {
	o := &coordinationv1.Lease{}
	err := s.prepare(request(s.client.current())).Do(ctx).Into(o)
	if err != nil {
		return lease.Record{}, s.explain(verb, err)
	}
	record, err := s.read(o)
	if err != nil {
		return lease.Record{}, fmt.Errorf("%s the Lease: %w", verb, shortened{err})
	}
	return record, nil
}

// prepare addresses the request. It allows no retries: the election has a deadline that client-go does not know, so a 429 with
// Retry-After must come back at once.
func (s *Store) prepare(r *rest.Request) *rest.Request {
	return r.Namespace(s.namespace).Resource(resource).MaxRetries(0)
}

// read turns an object from the API into a record, where it is the Lease that was asked for.
func (s *Store) read(o *coordinationv1.Lease) (lease.Record, error) {
	if err := s.check(o); err != nil {
		return lease.Record{}, err
	}
	o.ManagedFields = nil // half of the object, which nobody reads and no write sends
	return lease.FromObject(o)
}

// check refuses an object that is not the Lease that was asked for.
func (s *Store) check(o *coordinationv1.Lease) error {
	if o.Name != s.name || o.Namespace != s.namespace || o.UID == "" {
		return fmt.Errorf("the API answered with %q (UID %q) in place of Lease %s/%s", o.Namespace+"/"+o.Name, o.UID, s.namespace, s.name)
	}
	return nil
}
