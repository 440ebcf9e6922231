package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Compat is another sidecar whose answers the API imitates.
type Compat string

// The sidecars that can be imitated.
const (
	CompatOff     Compat = "off"     // none: as in reference/http.md
	CompatClassic Compat = "classic" // the classic leader-elector: one answer for every path and method
	CompatNais    Compat = "nais"    // nais's elector: GET / with last_update, and GET /sse; otherwise like CompatOff
)

// name is the document of the classic sidecar and, with the last update, of nais's.
type name struct {
	Name       string    `json:"name"`
	LastUpdate time.Time `json:"last_update,omitzero"`
}

// classic answers every request like the classic sidecar. It sets no content type: like then, the server detects it.
func (c WorkloadConfig) classic(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(name{Name: now(c.Election, c.Clock).Leader}) // any string can be marshalled
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

func (c WorkloadConfig) nais(w http.ResponseWriter, _ *http.Request) {
	replyExact(w, c.Feed.nais(now(c.Election, c.Clock)))
}

// nais returns nais's document for l. Its last update is when the leader's name last changed here.
func (f *Feed) nais(l leadership.Leadership) name {
	f.mu.Lock()
	defer f.mu.Unlock()
	return name{Name: l.Leader, LastUpdate: f.renamed}
}

// naisSSE serves GET /sse: an event for the current leader, if any, then one for each change of leader.
func (f *Feed) naisSSE(w http.ResponseWriter, r *http.Request) {
	f.serve(w, r, format{
		same:  func(a, b leadership.Leadership) bool { return a.Leader == b.Leader },
		print: func(l leadership.Leadership) ([]byte, error) { return json.Marshal(f.nais(l)) },
	})
}
