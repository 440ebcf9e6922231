package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Compat is another sidecar whose answers are given to the workload.
type Compat string

// The sidecars whose answers can be given.
const (
	CompatOff     Compat = "off"     // as reference/http.md says
	CompatClassic Compat = "classic" // the classic leader-elector: one answer, whatever the path and method
	CompatNais    Compat = "nais"    // nais's elector: GET / with last_update, and GET /sse; the rest as CompatOff
)

// name is the document of the classic sidecar and, with the last update, of nais's elector.
type name struct {
	Name       string    `json:"name"`
	LastUpdate time.Time `json:"last_update,omitzero"`
}

// classic answers every request as the classic sidecar did, which had one handler and took no order. The headers are
// its too, so no content type is set: the server finds the same one in the same bytes.
func (c WorkloadConfig) classic(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(name{Name: now(c.Election, c.Clock).Leader}) // any string can be printed
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func (c WorkloadConfig) nais(w http.ResponseWriter, _ *http.Request) {
	replyExact(w, c.Feed.nais(now(c.Election, c.Clock)))
}

// nais returns the document of nais's elector for l: its last update is when the leader's name last changed here.
func (f *Feed) nais(l leadership.Leadership) name {
	f.mu.Lock()
	defer f.mu.Unlock()
	return name{Name: l.Leader, LastUpdate: f.renamed}
}

// naisSSE serves GET /sse: an event for the present leader, then one for each other one, and nothing before the first.
func (f *Feed) naisSSE(w http.ResponseWriter, r *http.Request) {
	f.serve(w, r, format{
		same:  func(a, b leadership.Leadership) bool { return a.Leader == b.Leader },
		print: func(l leadership.Leadership) ([]byte, error) { return json.Marshal(f.nais(l)) },
	})
}
