//go:build linux

package contract

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.MainWithoutLeaks(m, "2")) }

// patience bounds every wait.
const patience = 30 * time.Second

// leaseDuration is the shortest that there is.
const leaseDuration = "3s"

// client is a client of one sidecar's HTTP for its workload, over its socket.
func client(r *harness.Local) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.Socket())
		},
	}}
}

// inPod says the pod, as the downward API does.
var inPod = []string{"POD_NAMESPACE=default", "POD_NAME=web-a", "POD_UID=0b1f4c7e-6a52-4d3b-9a57-2f0c8e1d7b46"}

// start starts a replica, and waits until it serves HTTP.
func start(t *testing.T, root, name string, flags ...string) *harness.Local {
	t.Helper()
	r := harness.NewLocal(t, root, name, append([]string{"--lease-duration", leaseDuration}, flags...)...)
	r.Env = inPod
	r.Start()
	r.AwaitLog("for=http-address")
	return r
}

// stay keeps GET /running open, as a workload at work does, until the returned function is called.
func stay(t *testing.T, r *harness.Local) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/running", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client(r).Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET /running: %v %v", answer, err)
	}
	return func() {
		cancel()
		_ = answer.Body.Close()
	}
}

// TestRealDocuments takes every kind of document from a sidecar, in each place where it stands, and validates it: standing by,
// leading, draining.
func TestRealDocuments(t *testing.T) {
	s := schema(t)
	r := start(t, harness.LocalRoot(t), "web-a")
	events := follow(t, r)
	kinds := []struct {
		name string
		is   func(leadership.Leadership) bool
	}{
		{"standby", func(l leadership.Leadership) bool { return !l.IsLeader && l.ValidUntil.IsZero() }},
		{"leading", func(l leadership.Leadership) bool { return l.IsLeader }},
		{"draining", func(l leadership.Leadership) bool { return !l.IsLeader && !l.ValidUntil.IsZero() }},
	}
	for _, kind := range kinds {
		if kind.name == "draining" {
			leave := stay(t, r)
			defer leave()
			r.StepDown()
		}
		places := map[string]func() string{
			"state.json": func() string {
				b, _ := os.ReadFile(filepath.Join(r.SignalDir(), leadership.StateFile))
				return string(b)
			},
			"GET /leader": func() string {
				_, body := r.Ask(http.MethodGet, "/leader")
				return body
			},
			"GET /events": events,
		}
		for place, read := range places {
			var document string
			harness.Eventually(t, patience, place+" has a document of a replica "+kind.name, func() bool {
				document = read()
				var l leadership.Leadership
				return json.Unmarshal([]byte(document), &l) == nil && kind.is(l)
			})
			if err := judge(t, s, document); err != nil {
				t.Errorf("%s, %s: %v\n%s", kind.name, place, err, document)
			}
		}
	}
}

// follow reads the events of a sidecar until the test ends, and returns what takes the next document; "" where none has come.
func follow(t *testing.T, r *harness.Local) (next func() string) {
	t.Helper()
	answer, err := client(r).Get("http://localhost/events")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET /events: %v %v", answer, err)
	}
	documents, ended := make(chan string, 64), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if document, is := strings.CutPrefix(lines.Text(), "data: "); is {
				documents <- document
			}
		}
	}()
	t.Cleanup(func() {
		_ = answer.Body.Close()
		<-ended
	})
	return func() string {
		select {
		case document := <-documents:
			return document
		default:
			return ""
		}
	}
}
