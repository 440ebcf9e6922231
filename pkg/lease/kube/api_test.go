package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
)

func TestMain(m *testing.M) {
	kube.RouteClientLogs(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

const (
	namespace = "default"
	name      = "acme-752b7817f6"
	path      = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
)

// api serves Leases as the API server does: the same paths, statuses, codes and watch frames, over a memory
// backend. What it leaves out (admission, RBAC, managed fields) is tested on the real one.
type api struct{ backend *memory.Backend }

func (a api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path+"/{name}", a.get)
	mux.HandleFunc("POST "+path, a.create)
	mux.HandleFunc("PUT "+path+"/{name}", a.update)
	mux.HandleFunc("GET "+path, a.watch)
	return mux
}

func (a api) get(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	reply, err := a.backend.Store(namespace, name).Get(r.Context())
	a.answer(w, name, http.StatusOK, reply, err)
}

func (a api) create(w http.ResponseWriter, r *http.Request) {
	o := &coordinationv1.Lease{}
	if err := json.NewDecoder(r.Body).Decode(o); err != nil || o.UID != "" || o.ResourceVersion != "" {
		writeStatus(w, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created"))
		return
	}
	o.ResourceVersion = "1"
	record, err := lease.FromObject(o)
	if err != nil {
		writeStatus(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	reply, err := a.backend.Store(namespace, o.Name).Create(r.Context(), record)
	a.answer(w, o.Name, http.StatusCreated, reply, err)
}

func (a api) update(w http.ResponseWriter, r *http.Request) {
	o := &coordinationv1.Lease{}
	err := json.NewDecoder(r.Body).Decode(o)
	if err == nil && o.Name != r.PathValue("name") {
		err = errors.New("the name of the object does not match the name on the URL")
	}
	record, versionErr := lease.FromObject(o)
	if err = errors.Join(err, versionErr); err != nil {
		writeStatus(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	reply, err := a.backend.Store(namespace, o.Name).Update(r.Context(), record)
	a.answer(w, o.Name, http.StatusOK, reply, err)
}

func (a api) watch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var selected string
	if f := q.Get("fieldSelector"); len(f) > len("metadata.name=") {
		selected = f[len("metadata.name="):]
	}
	if q.Get("watch") != "true" || selected == "" {
		writeStatus(w, apierrors.NewForbidden(coordinationv1.Resource("leases"), "", errors.New("only watches of one name")))
		return
	}
	connected := func() {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	}
	known := q.Get("resourceVersion") != ""
	err := a.backend.Store(namespace, selected).Watch(r.Context(), lease.Version(q.Get("resourceVersion")), connected, func(e lease.Event) {
		kind := "MODIFIED"
		switch {
		case e.Deleted:
			kind = "DELETED"
		case !known:
			kind, known = "ADDED", true
		}
		writeFrame(w, kind, stored(e.Record, selected))
	})
	if errors.Is(err, lease.ErrExpired) {
		writeStatus(w, apierrors.NewResourceExpired("too old resource version"))
	}
}

func (a api) answer(w http.ResponseWriter, name string, code int, reply lease.Record, err error) {
	kind := coordinationv1.Resource("leases")
	switch {
	case errors.Is(err, lease.ErrNotFound):
		writeStatus(w, apierrors.NewNotFound(kind, name))
	case errors.Is(err, lease.ErrExists):
		writeStatus(w, apierrors.NewAlreadyExists(kind, name))
	case errors.Is(err, lease.ErrConflict):
		writeStatus(w, apierrors.NewConflict(kind, name, errors.New("the object has been modified")))
	case err != nil:
		writeStatus(w, apierrors.NewInternalError(err))
	default:
		writeJSON(w, code, stored(reply, name))
	}
}

// stored is a Lease as the API server sends it.
func stored(r lease.Record, name string) *coordinationv1.Lease {
	o := r.Object(namespace, name)
	o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "lease-sidecar", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "coordination.k8s.io/v1"}}
	return o
}

func writeStatus(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	writeJSON(w, int(status.Code), &status)
}

func writeJSON(w http.ResponseWriter, code int, o any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o)
}

func writeFrame(w http.ResponseWriter, kind string, o runtime.Object) {
	_ = json.NewEncoder(w).Encode(metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Object: o}})
	w.(http.Flusher).Flush()
}

// serve starts a plain server for h and returns a Store on it.
func serve(t *testing.T, h http.Handler) *kube.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() { shut(server) })
	return open(t, &rest.Config{Host: server.URL})
}

// shut closes a server that may have a handler which hangs.
func shut(server *httptest.Server) {
	server.CloseClientConnections()
	server.Close()
}

func open(t *testing.T, config *rest.Config) *kube.Store {
	t.Helper()
	return client(t, config, slog.DiscardHandler).Lease(namespace, name)
}

func client(t *testing.T, config *rest.Config, log slog.Handler) *kube.Client {
	t.Helper()
	c, err := kube.NewClient(config, slog.New(log))
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	return c
}

// sample is a Lease as the API server would send it.
func sample() *coordinationv1.Lease {
	return &coordinationv1.Lease{
		TypeMeta: metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, UID: "b0c8e9d2-6f0e-4a77-8c5f-000000000001", ResourceVersion: "48213",
		},
	}
}

// sampleRecord is the sample as a Store reads it.
func sampleRecord(t *testing.T) lease.Record {
	t.Helper()
	r, err := lease.FromObject(sample())
	if err != nil {
		t.Fatalf("sample: %v", err)
	}
	return r
}

// bounded is a context that only a hang outlives.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		backend := memory.New()
		server := httptest.NewServer(api{backend}.handler())
		t.Cleanup(func() { shut(server) })
		return storetest.Fixture{
			Name: name,
			Open: func(t *testing.T, name string) lease.Store {
				t.Helper()
				return client(t, &rest.Config{Host: server.URL}, slog.DiscardHandler).Lease(namespace, name)
			},
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: namespace},
			History: true,
		}
	})
}
