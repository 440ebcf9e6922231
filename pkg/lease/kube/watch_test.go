package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

const frame = `{"type":%q,"object":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1",` +
	`"metadata":{"name":"acme-752b7817f6","namespace":"default","uid":"u1","resourceVersion":%q}}}` + "\n"

const bookmark = `{"type":"BOOKMARK","object":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"resourceVersion":"99"}}}` + "\n"

func TestWatchStream(t *testing.T) {
	added, modified, deleted := fmt.Sprintf(frame, "ADDED", "5"), fmt.Sprintf(frame, "MODIFIED", "6"), fmt.Sprintf(frame, "DELETED", "7")
	failed := func(code int, reason string) string {
		return fmt.Sprintf(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":"no"}}`+"\n", code, reason)
	}
	type end int
	const (
		wellEnded end = iota // nil
		expired
		otherwise // an error that is none of the sentinels
	)
	for _, c := range []struct {
		name   string
		stream string
		cut    bool // the connection is cut after the stream, where the server would close it in good order
		want   []string
		end    end
	}{
		{"closed at once", "", false, nil, wellEnded},
		{"each kind", added + modified + deleted, false, []string{"5", "6", "7 deleted"}, wellEnded},
		{"no newlines", strings.ReplaceAll(added+modified, "\n", ""), false, []string{"5", "6"}, wellEnded},
		{"bookmarks pass", bookmark + added + bookmark, false, []string{"5"}, wellEnded},
		{"cut between frames", added, true, []string{"5"}, otherwise},
		{"cut at once", "", true, nil, otherwise},
		{"half a frame, closed", added + modified[:40], false, []string{"5"}, otherwise},
		{"half a frame, cut", added + modified[:40], true, []string{"5"}, otherwise},
		{"expired by code", added + failed(410, ""), false, []string{"5"}, expired},
		{"expired by reason", failed(0, "Expired"), false, nil, expired},
		{"gone by reason", failed(410, "Gone"), false, nil, expired},
		{"server error", failed(500, "InternalError"), false, nil, otherwise},
		{"error without an error", `{"type":"ERROR","object":{}}`, false, nil, otherwise},
		{"garbage", "<html>", false, nil, otherwise},
		{"garbage after a frame", added + "<html>", false, []string{"5"}, otherwise},
		{"unknown type", strings.Replace(added, "ADDED", "MOVED", 1), false, nil, otherwise},
		{"no object", `{"type":"ADDED"}`, false, nil, otherwise},
		{"another Lease", strings.Replace(added, "acme-752b7817f6", "other", 1), false, nil, otherwise},
		{"a version without order", fmt.Sprintf(frame, "ADDED", "x5"), false, nil, otherwise},
		{"a frame without end", `{"type":"` + strings.Repeat("x", 8<<20), false, nil, otherwise},
		{"many long frames", strings.Repeat(strings.TrimSuffix(added, "\n")+strings.Repeat(" ", 1<<20), 8), false, []string{"5", "5", "5", "5", "5", "5", "5", "5"}, wellEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				_, _ = io.WriteString(w, c.stream)
				w.(http.Flusher).Flush()
				if c.cut {
					panic(http.ErrAbortHandler)
				}
			}))
			connected := 0
			var got []string
			err := store.Watch(bounded(t), "4", func() { connected++ }, func(e lease.Event) {
				seen := string(e.Record.Version)
				if e.Deleted {
					seen += " deleted"
				}
				got = append(got, seen)
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
			switch {
			case c.end == wellEnded && err != nil:
				t.Errorf("ended with %v, want nil", err)
			case c.end == expired && !errors.Is(err, lease.ErrExpired):
				t.Errorf("ended with %v, want %v", err, lease.ErrExpired)
			case c.end == otherwise && (err == nil || errors.Is(err, lease.ErrExpired)):
				t.Errorf("ended with %v, want some error", err)
			}
			if connected != 1 {
				t.Errorf("connected was called %d times, want once", connected)
			}
		})
	}
}

func TestWatchThatHangsEndsWithItsContext(t *testing.T) {
	for _, c := range []struct {
		name string
		send func(w http.ResponseWriter)
	}{
		{"before the headers", func(http.ResponseWriter) {}},
		{"before a frame", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK); w.(http.Flusher).Flush() }},
		{"in a frame", func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"type":`); w.(http.Flusher).Flush() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(bounded(t))
			store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.send(w)
				cancel()
				<-r.Context().Done()
			}))
			if err := store.Watch(ctx, "1", nil, func(lease.Event) {}); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v, want %v", err, context.Canceled)
			}
		})
	}
}
