package kube

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
)

// Members are the identity Leases of an election in the Kubernetes API; [Client.Members] opens them.
type Members struct {
	client              *Client
	namespace, election string
}

var _ lease.Members = (*Members)(nil)

// Members returns the members of the election with that namespace and Lease. It contacts nobody.
func (c *Client) Members(namespace, election string) *Members {
	return &Members{client: c, namespace: namespace, election: election}
}

// one returns the requests for one member's Lease.
func (m *Members) one(name string) *Store {
	return &Store{client: m.client, namespace: m.namespace, name: name}
}

// Get implements [lease.Members].
func (m *Members) Get(ctx context.Context, name string) (lease.Member, error) {
	return m.send(ctx, "get", name, func(c *rest.RESTClient) *rest.Request { return c.Get().Name(name) })
}

// Create implements [lease.Members].
func (m *Members) Create(ctx context.Context, member lease.Member) (lease.Member, error) {
	member.UID, member.Version = "", ""
	o := member.Object(m.namespace)
	return m.send(ctx, "create", member.Name, func(c *rest.RESTClient) *rest.Request { return c.Post().Body(o) })
}

// Update implements [lease.Members].
func (m *Members) Update(ctx context.Context, member lease.Member) (lease.Member, error) {
	if err := cas.Conditional(member.UID, member.Version); err != nil {
		return lease.Member{}, err
	}
	o := member.Object(m.namespace)
	return m.send(ctx, "update", member.Name, func(c *rest.RESTClient) *rest.Request { return c.Put().Name(member.Name).Body(o) })
}

// Delete implements [lease.Members]: a DELETE with both preconditions.
func (m *Members) Delete(ctx context.Context, member lease.Member) error {
	if err := cas.Conditional(member.UID, member.Version); err != nil {
		return err
	}
	uid, version := types.UID(member.UID), string(member.Version)
	options := &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}}
	store := m.one(member.Name)
	request := store.prepare(m.client.current().Delete()).Name(member.Name).Body(options)
	if err := request.Do(ctx).Error(); err != nil {
		return m.explain("delete", member.Name, err)
	}
	return nil
}

func (m *Members) send(ctx context.Context, verb, name string, request func(*rest.RESTClient) *rest.Request) (lease.Member, error) {
	o := &coordinationv1.Lease{}
	store := m.one(name)
	if err := store.prepare(request(m.client.current())).Do(ctx).Into(o); err != nil {
		return lease.Member{}, m.explain(verb, name, err)
	}
	if err := store.check(o); err != nil {
		return lease.Member{}, fmt.Errorf("%s the member's Lease: %w", verb, shortened{err})
	}
	return lease.MemberFromObject(o)
}

// List implements [lease.Members]. It leaves out objects that it cannot read.
func (m *Members) List(ctx context.Context, deliver func(lease.Member)) (lease.Version, error) {
	text, err := pages(ctx, func() *rest.Request { return m.selected(m.client.current()) }, func(page []coordinationv1.Lease) {
		for i := range page {
			o := &page[i]
			if member, err := lease.MemberFromObject(o); err == nil && o.Namespace == m.namespace && o.UID != "" {
				deliver(member)
			}
		}
	})
	if err != nil {
		return "", m.explain("list", "", err)
	}
	version, err := lease.ParseVersion(text)
	if err != nil {
		return "", fmt.Errorf("list the members' Leases: %w", err)
	}
	return version, nil
}

// Watch implements [lease.Members]. The server sends a bookmark each minute, which moves the version on while nothing changes.
func (m *Members) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.MemberEvent)) error {
	request := m.selected(m.client.streams()).Param("watch", "true").Param("allowWatchBookmarks", "true").Param("resourceVersion", string(from))
	return follow(ctx, request, connected, func(frame metav1.WatchEvent) error {
		o, deleted, err := readFrame(frame)
		if err != nil {
			return err
		}
		member, err := lease.MemberFromObject(o)
		if err != nil {
			return err
		}
		deliver(lease.MemberEvent{Member: member, Deleted: deleted})
		return nil
	}, func(version lease.Version) {
		deliver(lease.MemberEvent{Member: lease.Member{Version: version}})
	}, func(err error) error { return m.explain("watch", "", err) })
}

func (m *Members) selected(c *rest.RESTClient) *rest.Request {
	return m.one("").prepare(c.Get()).
		Param("labelSelector", lease.MemberSelector(m.election))
}

// explain is [Store.explain] for members: it names the rule that the Role lacks.
func (m *Members) explain(verb, name string, err error) error {
	store := m.one(name)
	if !apierrors.IsForbidden(err) {
		return store.explain(verb, err)
	}
	m.client.learn(err)
	rule := `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "list", "watch", "create", "update"]}`
	if verb == "delete" {
		rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["delete"]}`
	}
	return fmt.Errorf("%w: to %s the Leases of members in namespace %q: add this rule to the Role of the pod's ServiceAccount, and the "+
		"admission policy that limits it: %s (the API server said: %s)", lease.ErrForbidden, verb, m.namespace, rule, brief(err))
}
