package kube

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Raw sends requests for resources other than Leases, as JSON, with the Store's credentials and connections. A typed
// client of every resource that a signal touches would double the binary.
type Raw struct{ client *client }

// Raw returns the way to the rest of the API that the Store speaks to.
func (s *Store) Raw() Raw { return Raw{s.client} }

// Refused is the error of a request that the API server answered, but not well.
type Refused struct {
	// Status is the HTTP status, such as 403.
	Status int
	err    error
}

// Error returns what the server said, shortened.
func (r *Refused) Error() string { return brief(r.err) }

// Unwrap returns client-go's error.
func (r *Refused) Unwrap() error { return r.err }

// HTTPStatus returns Status, for callers that do not know this package.
func (r *Refused) HTTPStatus() int { return r.Status }

// Send makes one attempt and returns the answer's body, at most 4 MiB. The method is GET, POST or PATCH (a JSON merge
// patch); the path is the resource's with its query, such as "/api/v1/namespaces/default/pods?labelSelector=a%3Db".
// Where the server answered with an error, Send returns a [*Refused].
func (r Raw) Send(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	address, err := url.Parse(path)
	if err != nil {
		return nil, fmt.Errorf("address the request: %w", err)
	}
	request := r.client.current().Verb(method).AbsPath(address.Path).MaxRetries(0)
	for name, values := range address.Query() {
		for _, value := range values {
			request = request.Param(name, value)
		}
	}
	switch method {
	case "POST":
		request = request.SetHeader("Content-Type", "application/json").Body(body)
	case "PATCH":
		request = request.SetHeader("Content-Type", "application/merge-patch+json").Body(body)
	}
	result := request.Do(ctx)
	err = result.Error() // reads the server's own words, which Raw's error lacks
	if err == nil {
		return result.Raw()
	}
	r.client.learn(err)
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return nil, &Refused{Status: int(status.Status().Code), err: err}
	}
	return nil, fmt.Errorf("%s %s: %w", method, address.Path, err)
}
