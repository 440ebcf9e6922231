package kube

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Selection is a set of Leases, to read and to watch. No election depends on one.
type Selection struct {
	// Namespace is where they are; "" for all namespaces.
	Namespace string
	// Labels and Fields are selectors, as kubectl takes them; "" for every Lease.
	Labels, Fields string

	client *Client
}

// Select returns a selection of the API server's Leases. It contacts nobody.
func (c *Client) Select(namespace, labels, fields string) Selection {
	return Selection{Namespace: namespace, Labels: labels, Fields: fields, client: c}
}

// List reads the Leases, page by page, and the version from which [Selection.Watch] continues. The error wraps
// [lease.ErrForbidden] where a right is missing.
func (s Selection) List(ctx context.Context) ([]coordinationv1.Lease, lease.Version, error) {
	var all []coordinationv1.Lease
	version, err := pages(ctx, func() *rest.Request { return s.prepare(s.client.current()) }, func(page []coordinationv1.Lease) { all = append(all, page...) })
	if err != nil {
		return nil, "", s.explain("list", err)
	}
	return all, lease.Version(version), nil
}

// Change is what one frame of a watch says.
type Change struct {
	// Lease is the object after the change; of a deletion, its last state. nil where only the version has moved on.
	Lease *coordinationv1.Lease
	// Deleted says that the change removed it, or that it has left the selection.
	Deleted bool
	// Version is where a later watch may continue.
	Version lease.Version
}

// Watch calls deliver for every change after from, until ctx ends or the watch breaks, and returns why: nil where the server
// closed it in good order. About once a minute the server says that it is alive, by a change without a Lease. Errors:
// [lease.ErrExpired], [lease.ErrForbidden].
func (s Selection) Watch(ctx context.Context, from lease.Version, deliver func(Change)) error {
	request := s.prepare(s.client.streams()).Param("watch", "true").Param("allowWatchBookmarks", "true").Param("resourceVersion", string(from))
	return follow(ctx, request, nil, func(frame metav1.WatchEvent) error {
		o, deleted, err := readFrame(frame)
		if err != nil {
			return err
		}
		deliver(Change{Lease: o, Deleted: deleted, Version: lease.Version(o.ResourceVersion)})
		return nil
	}, func(version lease.Version) {
		deliver(Change{Version: version})
	}, func(err error) error { return s.explain("watch", err) })
}

func (s Selection) prepare(c *rest.RESTClient) *rest.Request {
	request := c.Get().NamespaceIfScoped(s.Namespace, s.Namespace != "").Resource(resource).MaxRetries(0)
	if s.Labels != "" {
		request = request.Param("labelSelector", s.Labels)
	}
	if s.Fields != "" {
		request = request.Param("fieldSelector", s.Fields)
	}
	return request
}

// explain is [Store.explain] for a selection.
func (s Selection) explain(verb string, err error) error {
	s.client.learn(err)
	of, role := "in all namespaces", "a ClusterRole"
	if s.Namespace != "" {
		of, role = fmt.Sprintf("in namespace %q", s.Namespace), "a Role there"
	}
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf(`%w: to %s leases.coordination.k8s.io %s: give your account %s with this rule: `+
			`{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "list", "watch"]} (the API server said: %s)`,
			lease.ErrForbidden, verb, of, role, brief(err))
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s Leases: the API server does not accept the credentials (401): %w", verb, shortened{err})
	case apierrors.IsResourceExpired(err) || apierrors.IsGone(err):
		return lease.ErrExpired
	}
	return fmt.Errorf("%s Leases %s: %w", verb, of, shortened{err})
}
