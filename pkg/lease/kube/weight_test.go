package kube_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// The most allocations of one renewal and of one event of a watch, in the client alone: one and a half times what was measured on
// 26 November 2026 (271 and 61; go test ./pkg/lease/kube -run '^$' -bench . -benchmem), as another version of Go or of client-go
// may need some more.
const (
	renewalBudget = 400
	eventBudget   = 90
)

// held is a Lease as the API server sends it while somebody holds it, with all that the election and the server add.
func held() *coordinationv1.Lease {
	o := sample()
	at := metav1.NewMicroTime(time.Date(2026, 11, 26, 12, 0, 0, 123456000, time.UTC))
	o.CreationTimestamp = metav1.NewTime(at.Truncate(time.Second))
	o.Labels = map[string]string{naming.LabelElection: "true"}
	o.Annotations = map[string]string{naming.AnnotationWorkload: "deployment/web", naming.AnnotationSuccessor: "web-1_b0c8e9d2"}
	o.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new("web-0_6f0e4a77-8c5f"), LeaseDurationSeconds: new(int32(15)), LeaseTransitions: new(int32(7)),
		AcquireTime: &at, RenewTime: &at,
	}
	o.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "lease-sidecar", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "coordination.k8s.io/v1",
		Time: new(o.CreationTimestamp), FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{".":{},"f:lease-sidecar.dev/workload":{}}},"f:spec":{"f:holderIdentity":{}}}`),
	}}
	return o
}

// encoded is an object as an API server sends it to a client that accepts these types.
func encoded(t testing.TB, o runtime.Object, accept string) (kind string, body []byte) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := coordinationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	kind, _, _ = strings.Cut(accept, ",")
	info, known := runtime.SerializerInfoForMediaType(serializer.NewCodecFactory(scheme).SupportedMediaTypes(), kind)
	if !known {
		t.Fatalf("a client accepts %q", accept)
	}
	body, err := runtime.Encode(info.Serializer, o)
	if err != nil {
		t.Fatal(err)
	}
	return kind, body
}

// tireless is an API server that allocates nothing for a request, apart from the first of a connection: what is counted beside it
// is the client's.
type tireless struct {
	t      testing.TB
	events chan int // how many events of a watch are to be sent at once
	ended  chan struct{}
}

func (s tireless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Errorf("hijack: %v", err)
		return
	}
	defer conn.Close()
	go func() { // the server does not know of the connection any more
		<-s.ended
		_ = conn.Close()
	}()
	if r.URL.Query().Get("watch") == "true" {
		s.watch(conn)
		return
	}
	kind, body := encoded(s.t, held(), r.Header.Get("Accept"))
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nAudit-Id: 0c7b1f34\r\n"+
		"Cache-Control: no-cache, private\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\n\r\n%s", kind, len(body), body)
	for err == nil {
		if _, err = conn.Write(answer); err == nil {
			err = skip(both.Reader)
		}
	}
}

// skip reads a request to its end.
func skip(from *bufio.Reader) error {
	length := 0
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return err
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			_, err = from.Discard(length)
			return err
		}
	}
}

func (s tireless) watch(conn io.Writer) {
	frame, err := json.Marshal(metav1.WatchEvent{Type: "MODIFIED", Object: runtime.RawExtension{Object: held()}})
	if err != nil {
		s.t.Error(err)
		return
	}
	frame = append(frame, '\n')
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(frame), frame)
	for n := range s.events {
		for range n {
			if err == nil {
				_, err = conn.Write(chunk)
			}
		}
	}
	_, _ = io.WriteString(conn, "0\r\n\r\n")
}

// overTLS returns a store on that server, which ends with the test.
func overTLS(t testing.TB, s tireless) *kube.Store {
	t.Helper()
	s.ended = make(chan struct{})
	server := httptest.NewTLSServer(s)
	t.Cleanup(func() {
		close(s.ended)
		shut(server)
	})
	config := &rest.Config{Host: server.URL, BearerToken: "secret", TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	c, err := kube.NewClient(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c.Lease(namespace, name)
}

// renewals returns what one renewal does: the request, and the answer as a record.
func renewals(t testing.TB) func() {
	store := overTLS(t, tireless{t: t})
	r, err := lease.FromObject(held())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r.RenewTime = r.RenewTime.Add(3 * time.Second)
		reply, err := store.Update(ctx, r)
		if err != nil || reply.Holder != r.Holder {
			t.Fatalf("%v of %q", err, reply.Holder)
		}
		reply.RenewTime = r.RenewTime
		r = reply
	}
}

// events returns what n events of one watch do, and ends the watch with the test.
func events(t testing.TB) func(n int) {
	more, seen, ended := make(chan int), make(chan string), make(chan error, 1)
	store := overTLS(t, tireless{t: t, events: more})
	go func() {
		ended <- store.Watch(t.Context(), "1", nil, func(e lease.Event) { seen <- e.Record.Holder })
	}()
	t.Cleanup(func() {
		close(more)
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return func(n int) {
		more <- n
		for range n {
			select {
			case holder := <-seen:
				if holder == "" {
					t.Fatal("an event without a holder")
				}
			case err := <-ended:
				t.Fatalf("the watch ended: %v", err)
			}
		}
	}
}

func BenchmarkRenewal(b *testing.B) {
	renew := renewals(b)
	renew()
	b.ReportAllocs()
	for b.Loop() {
		renew()
	}
}

func BenchmarkWatchEvent(b *testing.B) {
	receive := events(b)
	receive(1)
	b.ReportAllocs()
	for b.Loop() {
		receive(1)
	}
}

// TestAllocations: a leader at rest does little more than to renew, and a standby than to see it.
func TestAllocations(t *testing.T) {
	renew, receive := renewals(t), events(t)
	for _, c := range []struct {
		what string
		do   func()
		most float64
	}{
		{"a renewal", renew, renewalBudget},
		{"an event of the watch", func() { receive(1) }, eventBudget},
	} {
		if got := testing.AllocsPerRun(100, c.do); got > c.most || got < 1 {
			t.Errorf("%s allocates %.0f times, want at most %.0f", c.what, got, c.most)
		}
	}
}
