//go:build linux

package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"sync"
	"testing"
	"time"
)

// Request is one request for a Lease as the API server's audit log has it.
type Request struct {
	// User is who asked; Verb what: get, list, watch, create, update, patch, delete.
	User, Verb string
	// Namespace and Name say for which Lease; Name is "" for a list.
	Namespace, Name string
	// Code is the answer's HTTP status.
	Code int
	// Received is on the machine's wall clock, in microseconds.
	Received time.Time
	// Watching marks the start of a watch; its end is a Request of its own.
	Watching bool
}

// Audit reads the API server's audit log. It may be asked often, by several tests at once: each line is read once.
type Audit struct {
	path string

	mu       sync.Mutex
	read     int64 // bytes, up to the end of a line
	requests []Request
}

type auditEvent struct {
	Stage                    string
	Verb                     string
	User                     struct{ Username string }
	ObjectRef                struct{ Namespace, Name string }
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
}

// Requests returns the requests that were received from since on and that keep accepts, in the log's order. A
// request shows up once it is answered.
func (a *Audit) Requests(t testing.TB, since time.Time, keep func(Request) bool) []Request {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.readOn(); err != nil {
		t.Fatalf("read the audit log: %v", err)
	}
	var requests []Request
	for _, r := range a.requests {
		if !r.Received.Before(since) && keep(r) {
			requests = append(requests, r)
		}
	}
	return requests
}

// Size is how many bytes the audit log has.
func (a *Audit) Size(t testing.TB) int64 {
	t.Helper()
	info, err := os.Stat(a.path)
	if err != nil {
		t.Fatalf("look at the audit log: %v", err)
	}
	return info.Size()
}

// RequestRate is how many requests a second the election's candidates made of the API server in a time, watches at their end.
func (e *Election) RequestRate(t testing.TB, from, to time.Time) float64 {
	t.Helper()
	asked := e.Cluster.Audit.Requests(t, from, func(r Request) bool {
		return r.Namespace == e.Namespace && r.User == e.Access.User && !r.Watching && r.Received.Before(to)
	})
	return float64(len(asked)) / to.Sub(from).Seconds()
}

// readOn reads the whole lines that have been added. The last one may be half written.
func (a *Audit) readOn() error {
	f, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	added, err := io.ReadAll(io.NewSectionReader(f, a.read, math.MaxInt64-a.read))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(added, []byte("\n"))
		if !whole {
			return nil
		}
		added, a.read = rest, a.read+int64(len(line))+1
		var e auditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			continue // a server that was killed has left half a line
		}
		a.requests = append(a.requests, Request{
			User: e.User.Username, Verb: e.Verb, Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name,
			Code: e.ResponseStatus.Code, Received: e.RequestReceivedTimestamp, Watching: e.Stage == "ResponseStarted",
		})
	}
}
