package kube_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// selecting returns a client of a server that answers so.
func selecting(t *testing.T, h http.HandlerFunc) *kube.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() { shut(server) })
	return client(t, &rest.Config{Host: server.URL}, slog.DiscardHandler)
}

// TestListPages: a list is read page by page, in smaller pages where an answer would be too large, and with its selectors.
func TestListPages(t *testing.T) {
	const total, large = 7, 100_000 // bytes of one Lease: 60 of them exceed the bound of an answer
	var asked []string
	c := selecting(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("limit")+"@"+q.Get("continue"))
		if r.URL.Path != "/apis/coordination.k8s.io/v1/leases" || q.Get("labelSelector") != "a=b" || q.Get("fieldSelector") != "metadata.namespace!=x" {
			t.Errorf("asked for %s", r.URL)
		}
		limit, _ := strconv.Atoi(q.Get("limit"))
		from, _ := strconv.Atoi(q.Get("continue"))
		if limit > 60 {
			limit = 60
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1","padding":"`+strings.Repeat("x", limit*large)+`"}`)
			return
		}
		page := coordinationv1.LeaseList{TypeMeta: metav1.TypeMeta{Kind: "LeaseList", APIVersion: "coordination.k8s.io/v1"}}
		page.ResourceVersion = "99"
		for i := from; i < min(from+3, total); i++ {
			page.Items = append(page.Items, coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("l", i)}})
		}
		if from+3 < total {
			page.Continue = strconv.Itoa(from + 3)
		}
		writeJSON(w, http.StatusOK, page)
	})
	all, version, err := c.Select("", "a=b", "metadata.namespace!=x").List(t.Context())
	if err != nil || version != "99" || len(all) != total || all[total-1].Name != "l6" {
		t.Errorf("list: %d Leases of version %s, %v", len(all), version, err)
	}
	if diff := cmp.Diff([]string{"250@", "125@", "62@", "31@", "31@3", "31@6"}, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestListWithoutEnd: a server whose list never ends is an error.
func TestListWithoutEnd(t *testing.T) {
	c := selecting(t, func(w http.ResponseWriter, _ *http.Request) {
		page := coordinationv1.LeaseList{TypeMeta: metav1.TypeMeta{Kind: "LeaseList", APIVersion: "coordination.k8s.io/v1"}}
		page.Continue = "more"
		writeJSON(w, http.StatusOK, page)
	})
	if all, _, err := c.Select("default", "", "").List(t.Context()); err == nil {
		t.Errorf("list without an end: %d Leases", len(all))
	}
}

// TestSelectionForbidden: the error names the verb, the place and the rule that is missing.
func TestSelectionForbidden(t *testing.T) {
	c := selecting(t, func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, apierrors.NewForbidden(coordinationv1.Resource("leases"), "", errors.New("no RBAC")))
	})
	_, _, listed := c.Select("", "", "").List(t.Context())
	watched := c.Select("shop", "", "").Watch(t.Context(), "1", func(kube.Change) {})
	for err, wants := range map[error][]string{
		listed:  {"list leases.coordination.k8s.io in all namespaces", "ClusterRole", `verbs: ["get", "list", "watch"]`},
		watched: {`watch leases.coordination.k8s.io in namespace "shop"`, "a Role", `resources: ["leases"]`},
	} {
		for _, want := range wants {
			if !errors.Is(err, lease.ErrForbidden) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %q in it", err, want)
			}
		}
	}
}

// TestSelectionWatch: changes come in order, a bookmark only moves the version on, and an old version is reported as such.
func TestSelectionWatch(t *testing.T) {
	c := selecting(t, func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("watch") != "true" || q.Get("allowWatchBookmarks") != "true" || q.Get("resourceVersion") != "5" {
			t.Errorf("asked for %s", r.URL)
		}
		of := func(version string) *coordinationv1.Lease {
			o := sample()
			o.ResourceVersion = version
			return o
		}
		writeFrame(w, "ADDED", of("6"))
		writeFrame(w, "BOOKMARK", of("7"))
		writeFrame(w, "DELETED", of("8"))
		gone := apierrors.NewResourceExpired("too old")
		_, _ = fmt.Fprintf(w, `{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":%q,"code":410}}`, gone.ErrStatus.Reason)
	})
	var got []string
	err := c.Select("default", "", "").Watch(t.Context(), "5", func(c kube.Change) {
		got = append(got, fmt.Sprint(c.Version, " ", c.Lease != nil, " ", c.Deleted))
	})
	if diff := cmp.Diff([]string{"6 true false", "7 false false", "8 true true"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if !errors.Is(err, lease.ErrExpired) {
		t.Errorf("the end: %v, want %v", err, lease.ErrExpired)
	}
}
