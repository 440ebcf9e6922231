//go:build linux

package harness

import (
	"bufio"
	"encoding/json"
	"os"
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
	// Received and Answered are on the machine's wall clock, in microseconds.
	Received, Answered time.Time
	// Watching marks the start of a watch; its end is a Request of its own.
	Watching bool
}

// Audit reads the API server's audit log.
type Audit struct{ path string }

type auditEvent struct {
	Stage                    string
	Verb                     string
	User                     struct{ Username string }
	ObjectRef                struct{ Namespace, Name string }
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
}

// Requests returns the requests that were received from since on and that keep accepts, in the log's order. A
// request shows up once it is answered.
func (a Audit) Requests(t testing.TB, since time.Time, keep func(Request) bool) []Request {
	t.Helper()
	f, err := os.Open(a.path)
	if err != nil {
		t.Fatalf("open the audit log: %v", err)
	}
	defer func() { _ = f.Close() }()
	var requests []Request
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e auditEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the last line may be half written
		}
		r := Request{
			User: e.User.Username, Verb: e.Verb, Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name,
			Code: e.ResponseStatus.Code, Received: e.RequestReceivedTimestamp, Answered: e.StageTimestamp,
			Watching: e.Stage == "ResponseStarted",
		}
		if !r.Received.Before(since) && keep(r) {
			requests = append(requests, r)
		}
	}
	return requests
}
