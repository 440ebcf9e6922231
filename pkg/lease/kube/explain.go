package kube

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// explain turns client-go's error into one of package lease's, or adds how to fix the fault. It has the client learn from it.
func (s *Store) explain(verb string, err error) error {
	s.client.learn(err)
	switch {
	case apierrors.IsForbidden(err):
		return s.forbidden(verb, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s the Lease: the API server does not accept the credentials (401): check that the token is mounted, "+
			"fresh and of this cluster: %w", verb, shortened{err})
	case s.answersLease(err, metav1.StatusReasonNotFound) && verb != "create":
		return lease.ErrNotFound
	case s.answersLease(err, metav1.StatusReasonAlreadyExists) && verb == "create":
		return lease.ErrExists
	case s.answersLease(err, metav1.StatusReasonConflict) && (verb == "update" || verb == "delete"):
		return lease.ErrConflict
	case (verb == "watch" || verb == "list") && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)):
		return lease.ErrExpired
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s Lease %s/%s: the address has no such namespace or is not an API server with Leases: %w",
			verb, s.namespace, s.name, shortened{err})
	default:
		return fmt.Errorf("%s Lease %s/%s: %w", verb, s.namespace, s.name, shortened{err})
	}
}

// answersLease reports whether the API server itself said that of this very Lease. A proxy's 404 is no proof that the Lease is
// gone, nor its 409 that somebody else wrote.
func (s *Store) answersLease(err error, reason metav1.StatusReason) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Reason != reason {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Name == s.name && !apierrors.IsUnexpectedServerError(err)
}

// forbidden names the verb, the resource and the rule that the Role lacks.
func (s *Store) forbidden(verb string, err error) error {
	rule := fmt.Sprintf(`{apiGroups: ["coordination.k8s.io"], resources: ["leases"], resourceNames: [%q], verbs: ["get", "watch", "update"]}`, s.name)
	if verb == "create" { // RBAC cannot limit it to a name: the object has none yet when it is asked
		rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"]}`
	}
	return fmt.Errorf("%w: to %s leases.coordination.k8s.io %q in namespace %q: add this rule to the Role of the pod's ServiceAccount: %s (the API server said: %s)",
		lease.ErrForbidden, verb, s.name, s.namespace, rule, brief(err))
}

// shortened is an error whose text suits a log line: a server's answer may be megabytes long.
type shortened struct{ error }

// Error returns the beginning of what the server said.
func (w shortened) Error() string { return brief(w.error) }

// Unwrap returns the whole error.
func (w shortened) Unwrap() error { return w.error }

func brief(err error) string {
	const longest = 300
	text := err.Error()
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return text
}
