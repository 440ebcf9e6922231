package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// now judges the leadership again, so that no answer depends on the election's loop.
func now(e Election, clock bootclock.Clock) leadership.Leadership {
	return e.Leadership().At(clock.Now())
}

// leader answers GET /leader with the document as of this request: 200 if this replica leads, else 503.
func leader(e Election, clock bootclock.Clock) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		l := now(e, clock)
		status := http.StatusServiceUnavailable
		if l.IsLeader {
			status = http.StatusOK
		}
		replyJSON(w, status, l)
	}
}

// plain sets the headers of every answer: no caching, no guessing of the type by browsers, and the sidecar's pod, if known.
func plain(pod podid.Pod, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !pod.IsZero() {
			w.Header().Set(podid.Header, pod.String())
		}
		h.ServeHTTP(w, r)
	})
}

// explained serves the mux's routes. Without a route the mux would answer in plain text; this answers in JSON.
func explained(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, route := mux.Handler(r)
		if route != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refused := &unrouted{header: w.Header()}
		h.ServeHTTP(refused, r)
		if refused.status == http.StatusMethodNotAllowed {
			fail(w, refused.status, fmt.Sprintf("%s %s: want %s", r.Method, r.URL.Path, w.Header().Get("Allow")))
			return
		}
		fail(w, refused.status, r.URL.Path+": there is no such path at this address: want one such as /leader")
	})
}

// unrouted keeps the status and the headers of an answer, not the body.
type unrouted struct {
	header http.Header
	status int
}

func (r *unrouted) Header() http.Header         { return r.header }
func (r *unrouted) WriteHeader(status int)      { r.status = status }
func (r *unrouted) Write(b []byte) (int, error) { return len(b), nil }

// reply sends a body with its length, so that HEAD has the headers of GET.
func reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// replyExact sends a document as another sidecar prints it: status 200, and the JSON without a newline.
func replyExact(w http.ResponseWriter, document any) { replyDocument(w, http.StatusOK, document, "") }

func replyJSON(w http.ResponseWriter, status int, document any) {
	replyDocument(w, status, document, "\n")
}

func replyDocument(w http.ResponseWriter, status int, document any, end string) {
	body, err := json.Marshal(document)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"print the answer"}`)
	}
	reply(w, status, "application/json", append(body, end...))
}

func fail(w http.ResponseWriter, status int, message string) {
	replyJSON(w, status, map[string]string{"error": message})
}

func done(w http.ResponseWriter, message string) {
	replyJSON(w, http.StatusAccepted, map[string]string{"status": message})
}
