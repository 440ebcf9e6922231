package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// GET /running holds the lead, so it is for programs of this machine alone.
func TestWhoMayStay(t *testing.T) {
	h := stay(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for name, tc := range map[string]struct {
		method string
		local  bool
		host   string
		header string
		want   int
	}{
		"a program of the pod": {http.MethodGet, true, "localhost", "", http.StatusOK},
		"a public address":     {http.MethodGet, false, "localhost", "", http.StatusForbidden},
		"another host":         {http.MethodGet, true, "example.com", "", http.StatusForbidden},
		"through a proxy":      {http.MethodGet, true, "localhost", "X-Forwarded-For", http.StatusForbidden},
		"a web page":           {http.MethodGet, true, "localhost", "Origin", http.StatusForbidden},
		"a web page's image":   {http.MethodGet, true, "localhost", "Sec-Fetch-Site", http.StatusForbidden},
		"only the headers":     {http.MethodHead, true, "localhost", "", http.StatusMethodNotAllowed},
	} {
		r := httptest.NewRequest(tc.method, "/running", nil)
		r.Host = tc.host
		r = r.WithContext(withLoopback(r.Context(), tc.local))
		if tc.header != "" {
			r.Header.Set(tc.header, "x")
		}
		w := httptest.NewRecorder()
		h(w, r)
		if w.Code != tc.want {
			t.Errorf("%s: got %d %s; want %d", name, w.Code, w.Body, tc.want)
		}
	}
}
