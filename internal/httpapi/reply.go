package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const contentJSON = "application/json"

// plain sets the headers that every answer has: none may be kept, nor taken for anything but what it says it is.
func plain(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// reply sends a body with its length, so that HEAD has the headers of GET.
func reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func replyJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"print the answer"}`)
	}
	reply(w, status, contentJSON, append(body, '\n'))
}

func fail(w http.ResponseWriter, status int, message string) {
	replyJSON(w, status, map[string]string{"error": message})
}

func done(w http.ResponseWriter, message string) {
	replyJSON(w, http.StatusAccepted, map[string]string{"status": message})
}

// leader answers GET /leader: 200 while this replica leads and 503 while not, with the document, as the clock has it at
// this request.
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

// now returns the leadership judged here too: no answer rests on the election's own care.
func now(e Election, clock bootclock.Clock) leadership.Leadership {
	return e.Leadership().At(clock.Now())
}
