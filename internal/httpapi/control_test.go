package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// GET /running holds the lead, so it is for programs of this machine alone.
func TestWhoMayHoldTheLead(t *testing.T) {
	h := localStream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
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

func TestOrdersComeFromThisMachineOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"as it should be", func(*http.Request) {}, 202},
		{"from the same page", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 202},
		{"with a little body", func(r *http.Request) { setBody(r, "{}") }, 202},
		{"an address that others reach", func(r *http.Request) { *r = *r.WithContext(withLoopback(r.Context(), false)) }, 403},
		{"a handler that nobody vouches for", func(r *http.Request) { *r = *r.WithContext(t.Context()) }, 403},
		{"another site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"another site of the same owner", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"another origin", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		{"an opaque origin", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"a proxy", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.9") }, 403},
		{"a newer proxy", func(r *http.Request) { r.Header.Set("Forwarded", "for=10.0.0.9") }, 403},
		{"a large body", func(r *http.Request) { setBody(r, strings.Repeat("x", maxBody+1)) }, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/step-down", "/leave", "/drained", "/quitquitquit"} {
				f := newFixture(true)
				if f.election.now = leadershiptest.Leading(f.clock, "5"); path == "/drained" {
					f.election.now = leadershiptest.Draining(f.clock)
				}
				w := f.ask(t, "POST", path, c.change)
				if w.Code != c.want {
					t.Errorf("POST %s: %d %s, want %d", path, w.Code, w.Body, c.want)
				}
				if acted := len(f.election.ordered) + f.quits + len(f.reports); c.want != 202 && acted != 0 {
					t.Errorf("POST %s was refused and done", path)
				}
			}
		})
	}
}

func setBody(r *http.Request, body string) {
	r.Body = http.NoBody
	if body != "" {
		r.Body = httptest.NewRequest("POST", "/", strings.NewReader(body)).Body
	}
}

func TestHostOfAnOrder(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:4040": true, "LOCALHOST:1": true, "127.0.0.1": true, "127.0.0.1:4040": true,
		"127.9.8.7": true, "[::1]": true, "[::1]:4040": true, "[::ffff:127.0.0.1]:80": true,
		"": false, ":4040": false, "web": false, "10.1.2.3:4040": false, "0.0.0.0": false, "[::]:4040": false,
		"localhost.evil.example": false, "127.0.0.1.evil.example:4040": false, "evil.example:127": false,
		"localhost@evil.example": false, "[2001:db8::1]": false, "2130706433": false, "169.254.169.254": false,
	} {
		f := newFixture(true)
		f.election.now = leadershiptest.Leading(f.clock, "5")
		w := f.ask(t, "POST", "/step-down", func(r *http.Request) { r.Host = host })
		if got := w.Code == 202; got != want {
			t.Errorf("Host %q: %d %s, want it taken: %v", host, w.Code, w.Body, want)
		}
		if read := f.ask(t, "GET", "/leader", func(r *http.Request) { r.Host = host }); read.Code != 200 {
			t.Errorf("Host %q: GET /leader answers %d, want 200: reading is open", host, read.Code)
		}
	}
}
