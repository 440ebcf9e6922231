package kube_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// TestRequests shows what goes over the wire.
func TestRequests(t *testing.T) {
	type request struct {
		Method, URI, Proto, Agent string
		UID, Version              string
		Strategy                  any
	}
	var got []request
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Metadata struct{ UID, ResourceVersion string }
			Spec     struct{ Strategy any }
		}
		if data, _ := io.ReadAll(r.Body); len(data) > 0 {
			if err := json.Unmarshal(data, &body); err != nil {
				t.Errorf("body: %v", err)
			}
		}
		got = append(got, request{
			r.Method, r.RequestURI, r.Proto, r.UserAgent(),
			body.Metadata.UID, body.Metadata.ResourceVersion, body.Spec.Strategy,
		})
		if r.URL.Query().Has("watch") {
			return
		}
		writeJSON(w, http.StatusOK, sample())
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	store := open(t, trusting(server))

	for _, verb := range []string{"get", "create", "update"} {
		if _, err := call(t, store, verb); err != nil {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if _, err := store.Create(bounded(t), sampleRecord(t)); err != nil {
		t.Errorf("create from a record once read: %v", err)
	}
	for _, from := range []lease.Version{"1", ""} {
		if err := store.Watch(bounded(t), from, nil, nil); err != nil {
			t.Errorf("watch from %q: %v", from, err)
		}
	}
	const one, agent = path + "/" + name, "lease-sidecar"
	want := []request{
		{"GET", one, "HTTP/1.1", agent, "", "", nil},
		{"POST", path, "HTTP/1.1", agent, "", "", nil},
		{"PUT", one, "HTTP/1.1", agent, "b0c8e9d2-6f0e-4a77-8c5f-000000000001", "48213", nil},
		{"POST", path, "HTTP/1.1", agent, "", "", nil},
		{"GET", path + "?fieldSelector=metadata.name%3Dacme-752b7817f6&resourceVersion=1&watch=true", "HTTP/1.1", agent, "", "", nil},
		{"GET", path + "?fieldSelector=metadata.name%3Dacme-752b7817f6&watch=true", "HTTP/1.1", agent, "", "", nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestUnconditionalUpdateIsNeverSent has a server that would take it, as the API server takes a PUT without a UID.
func TestUnconditionalUpdateIsNeverSent(t *testing.T) {
	store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a request was sent")
		writeJSON(w, http.StatusOK, sample())
	}))
	for _, r := range []lease.Record{{UID: "u1"}, {Version: "1"}, {}} {
		if _, err := store.Update(bounded(t), r); err == nil {
			t.Errorf("update with UID %q and version %q succeeded", r.UID, r.Version)
		}
	}
}

// TestTimedOutRequestGivesItsConnectionUp hangs one request, before or within its answer: it must end with its
// context, and the next must come over a new connection, as the old one may be half dead.
func TestTimedOutRequestGivesItsConnectionUp(t *testing.T) {
	for _, c := range []struct {
		name string
		send string
	}{{"before the headers", ""}, {"in the body", `{"kind":"Lease",`}} {
		t.Run(c.name, func(t *testing.T) {
			var peers []string
			giveUp := make(chan context.CancelFunc, 1) // for the request that hangs
			store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				peers = append(peers, r.RemoteAddr)
				select {
				case cancel := <-giveUp:
					_, _ = io.WriteString(w, c.send)
					if c.send != "" {
						w.(http.Flusher).Flush()
					}
					cancel()
					<-r.Context().Done()
				default:
					writeJSON(w, http.StatusOK, sample())
				}
			}))
			for i, want := range []error{nil, context.Canceled, nil} {
				ctx, cancel := context.WithCancel(bounded(t))
				defer cancel()
				if want != nil {
					giveUp <- cancel
				}
				if _, err := store.Get(ctx); !errors.Is(err, want) {
					t.Fatalf("request %d: error %v, want %v", i, err, want)
				}
			}
			if peers[0] != peers[1] || peers[2] == peers[1] {
				t.Errorf("requests came from %v, want the first two from one connection, the third from another", peers)
			}
		})
	}
}

// TestWatchHasItsOwnConnection reads the Lease, opens the watch, and writes, as a standby does: the watch must have a connection of its
// own, and leave the read's one to the write, which would have to dial else.
func TestWatchHasItsOwnConnection(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]string{}
	backend := memory.New()
	handler := api{backend}.handler()
	store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.Method+r.URL.Query().Get("watch")] = r.RemoteAddr
		mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithCancel(bounded(t))
	if _, err := store.Create(ctx, lease.Record{}); err != nil {
		t.Fatalf("create: %v", err)
	}
	read, err := store.Get(ctx)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	update := func() {
		r := read
		r.Holder = "a_1"
		if _, err := store.Update(ctx, r); err != nil {
			t.Errorf("update: %v", err)
		}
	}
	err = store.Watch(ctx, read.Version, update, func(lease.Event) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the watch ended with %v, want %v", err, context.Canceled)
	}
	if peers["GETtrue"] == peers["PUT"] {
		t.Errorf("the watch and the update share the connection from %s", peers["PUT"])
	}
	if peers["GET"] != peers["PUT"] {
		t.Errorf("the update came from %s, want the connection of the read before the watch, from %s", peers["PUT"], peers["GET"])
	}
}

func TestTokenRotates(t *testing.T) {
	var accepted atomic.Value
	accepted.Store("first")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+accepted.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Query().Has("watch") {
			return
		}
		writeJSON(w, http.StatusOK, sample())
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, []byte("first"))
	config := trusting(server)
	config.BearerToken, config.BearerTokenFile = "first", file // as rest.InClusterConfig sets them
	store := open(t, config)

	for _, verb := range []string{"get", "update", "watch"} {
		if _, err := call(t, store, verb); err != nil {
			t.Fatalf("%s with the first token: %v", verb, err)
		}
	}
	for _, verb := range []string{"get", "update", "watch"} {
		next := "for " + verb
		accepted.Store(next)
		write(t, file, []byte(next+"\n"))
		if _, err := call(t, store, verb); err == nil {
			t.Errorf("%s succeeded with a token that is not accepted any more", verb)
		}
		if _, err := call(t, store, verb); err != nil {
			t.Errorf("%s after a 401: the new token was not read: %v", verb, err)
		}
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// trusting is the configuration of a client that trusts that server.
func trusting(server *httptest.Server) *rest.Config {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority}}
}
