package httpapi

import (
	"fmt"
	"net/http"
)

// stay lets only requests through that may give orders, as an answer that stays open holds the lead. It is a GET, which
// web pages may send anywhere: those are told by what every browser adds.
func stay(h http.Handler) http.HandlerFunc {
	return guard(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			fail(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s /running: want GET, whose answer stays open", r.Method))
			return
		}
		for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
			if r.Header.Get(header) != "" {
				fail(w, http.StatusForbidden, "/running is not for web pages, and this request has the header "+header)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}
