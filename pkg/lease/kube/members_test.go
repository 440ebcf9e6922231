package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// membersAPI serves the identity Leases of members as the API server does, over a memory backend.
type membersAPI struct{ backend *memory.Backend }

func (a membersAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path+"/{name}", func(w http.ResponseWriter, r *http.Request) {
		m, err := a.all().Get(r.Context(), r.PathValue("name"))
		a.answer(w, r.PathValue("name"), m, err)
	})
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { a.write(w, r, a.all().Create) })
	mux.HandleFunc("PUT "+path+"/{name}", func(w http.ResponseWriter, r *http.Request) { a.write(w, r, a.all().Update) })
	mux.HandleFunc("DELETE "+path+"/{name}", a.delete)
	mux.HandleFunc("GET "+path, a.collection)
	return mux
}

// all is a connection for whatever asks by name.
func (a membersAPI) all() lease.Members { return a.backend.Members(namespace, "") }

func (a membersAPI) write(w http.ResponseWriter, r *http.Request, write func(context.Context, lease.Member) (lease.Member, error)) {
	o := &coordinationv1.Lease{}
	if err := json.NewDecoder(r.Body).Decode(o); err != nil {
		writeStatus(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	if r.Method == http.MethodPost {
		o.ResourceVersion = "1"
	}
	m, err := lease.MemberFromObject(o)
	if err == nil {
		m, err = write(r.Context(), m)
	}
	a.answer(w, o.Name, m, err)
}

func (a membersAPI) delete(w http.ResponseWriter, r *http.Request) {
	o := &metav1.DeleteOptions{}
	if err := json.NewDecoder(r.Body).Decode(o); err != nil || o.Preconditions == nil || o.Preconditions.UID == nil || o.Preconditions.ResourceVersion == nil {
		writeStatus(w, apierrors.NewBadRequest(fmt.Sprintf("want preconditions: %v", err)))
		return
	}
	m := lease.Member{Name: r.PathValue("name"), UID: string(*o.Preconditions.UID), Version: lease.Version(*o.Preconditions.ResourceVersion)}
	a.answer(w, m.Name, m, a.all().Delete(r.Context(), m))
}

func (a membersAPI) collection(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	election, ok := strings.CutPrefix(q.Get("labelSelector"), naming.LabelMemberOf+"=")
	switch {
	case !ok:
		writeStatus(w, apierrors.NewForbidden(coordinationv1.Resource("leases"), "", errors.New("only members")))
	case q.Get("watch") == "true":
		a.watch(w, r, a.backend.Members(namespace, election))
	default:
		a.list(w, r, a.backend.Members(namespace, election))
	}
}

// list answers by pages: the continue token is the number of members before.
func (a membersAPI) list(w http.ResponseWriter, r *http.Request, members lease.Members) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	list := &coordinationv1.LeaseList{TypeMeta: metav1.TypeMeta{Kind: "LeaseList", APIVersion: "coordination.k8s.io/v1"}}
	n := 0
	version, err := members.List(r.Context(), func(m lease.Member) {
		if n++; n > after && n <= after+limit {
			list.Items = append(list.Items, *m.Object(namespace))
		}
	})
	if err != nil {
		writeStatus(w, apierrors.NewInternalError(err))
		return
	}
	if list.ResourceVersion = string(version); n > after+limit {
		list.Continue = strconv.Itoa(after + limit)
	}
	writeJSON(w, http.StatusOK, list)
}

func (a membersAPI) watch(w http.ResponseWriter, r *http.Request, members lease.Members) {
	connected := func() {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	}
	from := lease.Version(r.URL.Query().Get("resourceVersion"))
	err := members.Watch(r.Context(), from, connected, func(e lease.MemberEvent) {
		kind := "MODIFIED"
		if e.Deleted {
			kind = "DELETED"
		}
		writeFrame(w, kind, e.Member.Object(namespace))
	})
	if errors.Is(err, lease.ErrExpired) {
		writeStatus(w, apierrors.NewResourceExpired("too old resource version"))
	}
}

func (a membersAPI) answer(w http.ResponseWriter, name string, m lease.Member, err error) {
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
		o := m.Object(namespace)
		o.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
		writeJSON(w, http.StatusOK, o)
	}
}

func TestMembersConformance(t *testing.T) {
	storetest.RunMembers(t, func(t *testing.T) storetest.MembersFixture {
		backend := memory.New()
		backend.Advance(1) // an API server has no version 0
		server := httptest.NewServer(membersAPI{backend}.handler())
		t.Cleanup(func() { shut(server) })
		return storetest.MembersFixture{
			Election: name,
			Open: func(t *testing.T, election string) lease.Members {
				t.Helper()
				return client(t, &rest.Config{Host: server.URL}, slog.DiscardHandler).Members(namespace, election)
			},
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: namespace},
			History: true,
			Page:    250,
		}
	})
}

// TestMembersListSurvivesHugeLeases lists members whose Leases are so large that a page of them is longer than an answer may be.
func TestMembersListSurvivesHugeLeases(t *testing.T) {
	backend := memory.New()
	server := httptest.NewServer(membersAPI{backend}.handler())
	t.Cleanup(func() { shut(server) })
	for i := range 20 {
		m := lease.Member{Name: fmt.Sprintf("%s-%d", name, i), Holder: strings.Repeat("x", 1<<20), Labels: map[string]string{naming.LabelMemberOf: name}}
		if _, err := backend.Members(namespace, name).Create(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	_, err := client(t, &rest.Config{Host: server.URL}, slog.DiscardHandler).Members(namespace, name).List(bounded(t), func(lease.Member) { n++ })
	if err != nil || n != 20 {
		t.Errorf("listed %d of 20 members: %v", n, err)
	}
}

// TestMembersForbidden names the rule that is missing.
func TestMembersForbidden(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, apierrors.NewForbidden(coordinationv1.Resource("leases"), "", errors.New("no")))
	}))
	t.Cleanup(func() { shut(server) })
	members := client(t, &rest.Config{Host: server.URL}, slog.DiscardHandler).Members(namespace, name)
	_, listed := members.List(bounded(t), func(lease.Member) {})
	deleted := members.Delete(bounded(t), lease.Member{Name: "a", UID: "b", Version: "1"})
	for verb, err := range map[string]error{"list": listed, "delete": deleted} {
		if !errors.Is(err, lease.ErrForbidden) || !strings.Contains(err.Error(), `"`+verb+`"`) {
			t.Errorf("%s: %v, want the rule with the verb", verb, err)
		}
	}
}
