package kube_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

var leases = coordinationv1.Resource("leases")

// sentinels are the errors that callers branch on.
var sentinels = []error{lease.ErrNotFound, lease.ErrExists, lease.ErrConflict, lease.ErrForbidden, lease.ErrExpired}

func TestAnswersToErrors(t *testing.T) {
	denied := errors.New(`User "system:serviceaccount:default:web" cannot do that`)
	status := func(err *apierrors.StatusError) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, err) }
	}
	text := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	broken := func(change func(*coordinationv1.Lease)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			o := sample()
			change(o)
			writeJSON(w, http.StatusOK, o)
		}
	}
	busy := func(w http.ResponseWriter, _ *http.Request) { // who honours it waits longer than the test
		w.Header().Set("Retry-After", "3600")
		writeStatus(w, apierrors.NewTooManyRequests("slow down", 3600))
	}
	const rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], `
	for _, c := range []struct {
		name  string
		verbs string
		serve http.HandlerFunc
		want  error    // nil: an error that is none of the sentinels
		texts []string // in the error's text
	}{
		{"absent", "get update", status(apierrors.NewNotFound(leases, name)), lease.ErrNotFound, nil},
		{"another object absent", "get update", status(apierrors.NewNotFound(leases, "other")), nil, nil},
		{"namespace absent", "create", status(apierrors.NewNotFound(coordinationv1.Resource("namespaces"), namespace)), nil, []string{"no such namespace"}},
		{"a proxy's 404", "get create update", text(404, "text/html", "<h1>not here</h1>"), nil, nil},
		{"a path that the server has not", "get create update", text(404, "text/plain", "404 page not found"), nil, []string{"not an API server with Leases"}},
		{"exists", "create", status(apierrors.NewAlreadyExists(leases, name)), lease.ErrExists, nil},
		{"changed", "update", status(apierrors.NewConflict(leases, name, denied)), lease.ErrConflict, nil},
		{"a proxy's 409", "create update", text(409, "text/plain", "busy"), nil, nil},
		{"a quota's conflict", "create", status(apierrors.NewConflict(leases, name, denied)), nil, nil},
		{"forbidden", "get", status(apierrors.NewForbidden(leases, name, denied)), lease.ErrForbidden, []string{
			`to get leases.coordination.k8s.io "acme-752b7817f6" in namespace "default"`,
			rule + `resourceNames: ["acme-752b7817f6"], verbs: ["get", "watch", "update"]}`, "system:serviceaccount:default:web",
		}},
		{"forbidden", "watch", status(apierrors.NewForbidden(leases, name, denied)), lease.ErrForbidden, []string{"to watch leases", rule}},
		{"forbidden", "update", status(apierrors.NewForbidden(leases, name, denied)), lease.ErrForbidden, []string{"to update leases", rule}},
		{"forbidden", "create", status(apierrors.NewForbidden(leases, "", denied)), lease.ErrForbidden, []string{"to create leases", rule + `verbs: ["create"]}`}},
		{"forbidden at length", "get", status(apierrors.NewForbidden(leases, name, errors.New(strings.Repeat("x", 100_000)))), lease.ErrForbidden, nil},
		{"unauthorized", "get create update watch", status(apierrors.NewUnauthorized("Unauthorized")), nil, []string{"401", "token"}},
		{"unavailable", "get create update watch", status(apierrors.NewServiceUnavailable("shutting down")), nil, []string{"shutting down"}},
		{"busy for an hour", "get create update watch", busy, nil, []string{"slow down"}},
		{"internal", "get create update watch", status(apierrors.NewInternalError(denied)), nil, nil},
		{"gone", "watch", status(apierrors.NewResourceExpired("too old")), lease.ErrExpired, nil},
		{"gone, by the code alone", "watch", text(410, "text/plain", "gone"), lease.ErrExpired, nil},
		{"gone, but no watch", "get", status(apierrors.NewResourceExpired("too old")), nil, nil},
		{"not JSON", "get create update watch", text(200, "application/json", "<html>"), nil, nil},
		{"a login page", "get create update", text(200, "text/html", "<html>"), nil, nil},
		{"nothing", "get create update", text(200, "application/json", ""), nil, nil},
		{"half an object", "get create update", text(200, "application/json", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"na`), nil, nil},
		{"another kind", "get create update", text(200, "application/json", `{"kind":"Status","apiVersion":"v1","status":"Success"}`), nil, nil},
		{"another name", "get create update", broken(func(o *coordinationv1.Lease) { o.Name = "other" }), nil, []string{"default/other"}},
		{"another namespace", "get create update", broken(func(o *coordinationv1.Lease) { o.Namespace = "other" }), nil, nil},
		{"no UID", "get create update", broken(func(o *coordinationv1.Lease) { o.UID = "" }), nil, nil},
		{"no version", "get create update", broken(func(o *coordinationv1.Lease) { o.ResourceVersion = "" }), nil, nil},
		{"a version without order", "get create update", broken(func(o *coordinationv1.Lease) { o.ResourceVersion = "a1" }), nil, []string{"cannot be ordered"}},
		{"a body without end", "get create update", broken(func(o *coordinationv1.Lease) {
			o.Annotations = map[string]string{"long": strings.Repeat("x", 8<<20)}
		}), nil, []string{"too large"}},
	} {
		for verb := range strings.FieldsSeq(c.verbs) {
			t.Run(c.name+"/"+verb, func(t *testing.T) {
				var requests atomic.Int32
				store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					c.serve(w, r)
				}))
				_, err := call(t, store, verb)
				if err == nil {
					t.Fatal("succeeded")
				}
				for _, sentinel := range sentinels {
					if got, want := errors.Is(err, sentinel), errors.Is(sentinel, c.want); got != want {
						t.Errorf("error %q is %q: %v, want %v", err, sentinel, got, want)
					}
				}
				for _, want := range c.texts {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not say %q", err, want)
					}
				}
				if got := len(err.Error()); got > 1000 {
					t.Errorf("an error of %d bytes", got)
				}
				if got := requests.Load(); got != 1 {
					t.Errorf("%d requests, want 1 attempt", got)
				}
			})
		}
	}
}

// call makes one call of that verb, with a record where it needs one.
func call(t *testing.T, store *kube.Store, verb string) (reply lease.Record, err error) {
	t.Helper()
	ctx := bounded(t)
	switch verb {
	case "get":
		reply, err = store.Get(ctx)
	case "create":
		reply, err = store.Create(ctx, lease.Record{})
	case "update":
		r := sampleRecord(t)
		r.Holder = "a_1"
		reply, err = store.Update(ctx, r)
	case "watch":
		err = store.Watch(ctx, "1", nil, func(e lease.Event) { t.Errorf("delivered %+v", e) })
	default:
		t.Fatalf("verb %q", verb)
	}
	return reply, err
}
