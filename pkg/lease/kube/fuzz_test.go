package kube_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// canned answers every request with the same status, type and bytes.
type canned struct {
	status int
	kind   string
	body   []byte
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: fmt.Sprint(c.status), StatusCode: c.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {c.kind}, "Retry-After": {"1"}}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

// FuzzAnswers answers the store with bytes that may come from a proxy, a login page or a broken server. A Lease is read
// only where it is this one, with a UID and a version that can be ordered; that it is absent, there already or changed
// only where the API server says so of this very Lease; and no error is too long for a log line.
func FuzzAnswers(f *testing.F) {
	o, err := json.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	const status = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"%s","code":%d,"details":{"name":"` + name + `","kind":"leases"}}`
	f.Add(uint16(200), "application/json", o)
	f.Add(uint16(201), "application/json", bytes.Replace(o, []byte(name), []byte("other"), 1))
	f.Add(uint16(200), "application/json", fmt.Appendf(nil, `{"type":"ADDED","object":%s}{"type":"DELETED","object":%s}{"type":"BOOKMARK"}`, o, o))
	f.Add(uint16(404), "application/json", fmt.Appendf(nil, status, "NotFound", 404))
	f.Add(uint16(404), "application/json", bytes.Replace(fmt.Appendf(nil, status, "NotFound", 404), []byte(name), []byte("other"), 1))
	f.Add(uint16(409), "application/json", fmt.Appendf(nil, status, "Conflict", 409))
	f.Add(uint16(409), "application/json", fmt.Appendf(nil, status, "AlreadyExists", 409))
	f.Add(uint16(200), "application/json", fmt.Appendf(nil, status, "NotFound", 404))
	f.Add(uint16(200), "application/json", fmt.Appendf(nil, `{"type":"ERROR","object":`+status+`}`, "Expired", 410))
	f.Add(uint16(500), "application/json", []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"`+strings.Repeat("x", 5000)+`"}`))
	f.Add(uint16(503), "text/html", []byte("<h1>login</h1>"))
	f.Add(uint16(200), "application/vnd.kubernetes.protobuf", []byte("k8s\x00\n\x0c\n\x02v1\x12\x06Status"))
	f.Fuzz(func(t *testing.T, code uint16, kind string, body []byte) {
		config := &rest.Config{Host: "http://127.0.0.1:1"}
		answer := canned{int(code), kind, body}
		if answer.status < 200 || answer.status > 599 {
			answer.status = 200 + answer.status%400
		}
		config.Wrap(func(http.RoundTripper) http.RoundTripper { return answer })
		c := client(t, config, slog.DiscardHandler)
		store := c.Lease(namespace, name)
		for _, verb := range []string{"get", "create", "update"} {
			reply, err := call(t, store, verb)
			checkAnswer(t, verb, answer, reply, err)
		}
		checkFrames(t, store)
		checkSelection(t, c)
		if b, err := c.Send(t.Context(), "GET", "/api/v1/namespaces/default/pods/web-0", nil); err == nil && answer.status > 299 {
			t.Fatalf("status %d is an answer: %s", answer.status, b)
		}
	})
}

// checkSelection reads the answer as a list and as a watch of many Leases: both end.
func checkSelection(t *testing.T, c *kube.Client) {
	t.Helper()
	all := c.Select("", "", "")
	if _, _, err := all.List(t.Context()); err != nil && len(err.Error()) > 1000 {
		t.Fatalf("list: an error of %d bytes", len(err.Error()))
	}
	err := all.Watch(t.Context(), "1", func(c kube.Change) {
		if c.Deleted && c.Lease == nil {
			t.Fatal("a deletion of nothing")
		}
	})
	if err != nil && len(err.Error()) > 1000 {
		t.Fatalf("watch: an error of %d bytes", len(err.Error()))
	}
}

// checkAnswer judges what a call made of the answer.
func checkAnswer(t *testing.T, verb string, a canned, reply lease.Record, err error) {
	t.Helper()
	if err == nil {
		checkLease(t, a.body, reply)
		if a.status > 299 {
			t.Fatalf("%s: status %d is a Lease", verb, a.status)
		}
		return
	}
	if len(err.Error()) > 2000 {
		t.Fatalf("%s: an error of %d bytes", verb, len(err.Error()))
	}
	said := metav1.Status{}
	_ = json.Unmarshal(a.body, &said)
	ofOurs := said.Details != nil && said.Details.Name == name
	for sentinel, reason := range map[error]metav1.StatusReason{
		lease.ErrNotFound: metav1.StatusReasonNotFound, lease.ErrExists: metav1.StatusReasonAlreadyExists, lease.ErrConflict: metav1.StatusReasonConflict,
	} {
		if errors.Is(err, sentinel) && (said.Reason != reason || !ofOurs) {
			t.Fatalf("%s: %v of status %d %s", verb, err, a.status, a.body)
		}
	}
}

// checkLease asks that the record can have come of the bytes.
func checkLease(t *testing.T, body []byte, r lease.Record) {
	t.Helper()
	o := coordinationv1.Lease{}
	if err := json.Unmarshal(body, &o); err != nil || o.Name != name || o.Namespace != namespace || o.UID == "" {
		t.Fatalf("%s reads as %+v (%v)", body, r, err)
	}
	if _, err := lease.ParseVersion(string(r.Version)); err != nil || r.UID == "" {
		t.Fatalf("%s reads as version %q of %q", body, r.Version, r.UID)
	}
}

// checkFrames reads the answer as a watch's stream.
func checkFrames(t *testing.T, store *kube.Store) {
	t.Helper()
	err := store.Watch(t.Context(), "1", nil, func(e lease.Event) {
		if _, err := lease.ParseVersion(string(e.Record.Version)); err != nil || e.Record.UID == "" {
			t.Fatalf("the watch delivers version %q of %q", e.Record.Version, e.Record.UID)
		}
		if o := e.Record.Object(namespace, name); o.Spec.HolderIdentity == nil || *o.Spec.HolderIdentity != e.Record.Holder {
			t.Fatalf("the watch delivers %+v", e.Record)
		}
	})
	if err != nil && len(err.Error()) > 2000 {
		t.Fatalf("watch: an error of %d bytes", len(err.Error()))
	}
}
