// Package apiserver is the interface to the Kubernetes API server for what is no Lease: pods and Events. It imports the
// standard library alone; package kube implements it.
//
// It promises that a [Client] makes one attempt for each call, that the call returns soon after its context ends, and that an
// error which the server answered keeps its HTTP status. It does not promise that a request without an answer was not carried
// out, nor that a pod's credentials allow it.
package apiserver

import (
	"context"
	"errors"
)

// Client sends requests to the API server. Its methods may be called from several goroutines at once.
type Client interface {
	// Send makes one attempt, and returns the answer's body. The method is GET, POST or PATCH (a JSON merge patch); the path
	// is the resource's with its query, such as "/api/v1/namespaces/default/pods?labelSelector=a%3Db". An error that the
	// server answered wraps a [*StatusError]. Send returns soon after ctx ends.
	Send(ctx context.Context, method, path string, body []byte) ([]byte, error)
}

// StatusError is an error that the API server answered.
type StatusError struct {
	// Status is the HTTP status, such as 403.
	Status int
	// Err says what the server answered.
	Err error
}

// Error returns what the server answered.
func (e *StatusError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }

// Status returns the HTTP status of a [*StatusError] in err; 0 where the API server did not answer.
func Status(err error) int {
	if refused, ok := errors.AsType[*StatusError](err); ok {
		return refused.Status
	}
	return 0
}
