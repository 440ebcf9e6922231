package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
)

// Store is a Lease in the Kubernetes API.
type Store struct {
	client          *client
	namespace, name string
}

var _ lease.Store = (*Store)(nil)

// Config says which Lease, and how to reach it.
type Config struct {
	// REST is the API server and the credentials, as [LoadConfig] reads them. It is copied.
	REST *rest.Config
	// Namespace and Name are the Lease's.
	Namespace, Name string
	// Log receives what no caller would hear of otherwise, such as a rotated certificate authority.
	Log *slog.Logger
}

// resource is the Leases' plural name in the API's paths and in RBAC.
const resource = "leases"

// New returns a Store on that Lease. It reads certificate files, and contacts nobody. It fails where the
// configuration is incomplete or a file of it cannot be read.
func New(c Config) (*Store, error) {
	if c.REST == nil || c.Namespace == "" || c.Name == "" || c.Log == nil {
		return nil, errors.New("make the Kubernetes store: the connection, the namespace, the Lease's name and the logger are all needed")
	}
	client, err := newClient(c.REST, c.Log)
	if err != nil {
		return nil, fmt.Errorf("make the Kubernetes store: %w", err)
	}
	return &Store{client: client, namespace: c.Namespace, name: c.Name}, nil
}

// Get implements [lease.Store]. Asking for no resourceVersion makes it a quorum read.
func (s *Store) Get(ctx context.Context) (lease.Reply, error) {
	return s.send(ctx, "get", func(c *rest.RESTClient) *rest.Request { return c.Get().Name(s.name) })
}

// Create implements [lease.Store].
func (s *Store) Create(ctx context.Context, r lease.Record) (lease.Reply, error) {
	r.UID, r.Version = "", ""
	o := r.Object(s.namespace, s.name)
	return s.send(ctx, "create", func(c *rest.RESTClient) *rest.Request { return c.Post().Body(o) })
}

// Update implements [lease.Store]: a PUT with metadata.uid and metadata.resourceVersion. Without the UID it could
// bring a deleted Lease back, as the API server creates Leases on update.
func (s *Store) Update(ctx context.Context, r lease.Record) (lease.Reply, error) {
	if err := cas.Conditional(r); err != nil {
		return lease.Reply{}, err
	}
	o := r.Object(s.namespace, s.name)
	return s.send(ctx, "update", func(c *rest.RESTClient) *rest.Request { return c.Put().Name(s.name).Body(o) })
}

// send makes one attempt, and reads the Lease from the answer.
func (s *Store) send(ctx context.Context, verb string, request func(*rest.RESTClient) *rest.Request) (lease.Reply, error) {
	o := &coordinationv1.Lease{}
	err := s.prepare(request(s.client.current())).Do(ctx).Into(o)
	if err != nil {
		return lease.Reply{}, s.explain(verb, err)
	}
	record, err := s.read(o)
	if err != nil {
		return lease.Reply{}, fmt.Errorf("%s the Lease: %w", verb, worded{err})
	}
	return lease.Reply{Record: record}, nil
}

// prepare addresses the request. It allows no retries: a 429 with Retry-After must come back at once, as the
// election has a deadline and client-go does not know it.
func (s *Store) prepare(r *rest.Request) *rest.Request {
	return r.Namespace(s.namespace).Resource(resource).MaxRetries(0)
}

// read turns an object from the API into a record, where it is the Lease that was asked for.
func (s *Store) read(o *coordinationv1.Lease) (lease.Record, error) {
	if o.Name != s.name || o.Namespace != s.namespace || o.UID == "" {
		return lease.Record{}, fmt.Errorf("the API answered with %q (UID %q) in place of Lease %s/%s",
			o.Namespace+"/"+o.Name, o.UID, s.namespace, s.name)
	}
	return lease.FromObject(o)
}
