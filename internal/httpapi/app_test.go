package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// desk is the workload's handler over a stuck election.
type desk struct {
	clock    *handClock
	election *stuck
	reports  []string // the tokens of the stops that were reported
	quits    int
	handler  http.Handler
}

func newDesk(allowStepDown bool) *desk {
	d := &desk{clock: newClock(), election: &stuck{}}
	d.handler = NewApp(AppConfig{
		Election: d.election, Clock: d.clock, Feed: NewFeed(d.clock), Drained: d.drained,
		Quit: func() { d.quits++ }, AllowStepDown: allowStepDown,
	})
	return d
}

// errNoDrain is why the desk takes no report.
var errNoDrain = errors.New("no handover waits")

func (d *desk) drained(l leadership.Leadership, token string) error {
	if l.IsLeader || l.ValidUntil.IsZero() {
		return errNoDrain
	}
	d.reports = append(d.reports, token)
	return nil
}

// ask sends a request as if over a loopback-bound listener.
func (d *desk) ask(t *testing.T, method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:4040"+path, nil)
	r = r.WithContext(withLoopback(t.Context(), true))
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

func TestLeaderIsJudgedAtTheRequest(t *testing.T) {
	d := newDesk(true)
	for _, c := range []struct {
		name   string
		level  leadership.Leadership
		after  time.Duration
		status int
		body   string
	}{
		{"leading", leads(d.clock, "48213"), 0, 200, `{"lease":"acme-752b7817f6","namespace":"default","identity":"web-5d9_id",` +
			`"isLeader":true,"leader":"web-5d9","token":"48213","transitions":7,"since":"2026-11-22T10:00:00.000Z",` +
			`"validUntil":"2026-11-22T10:00:10.000Z","validUntilBoottimeNs":"822000000000","bootID":"boot"}`},
		{"leading for a last nanosecond", leads(d.clock, "48213"), 10*time.Second - 1, 200, ""},
		{"its term over, its loop stuck", leads(d.clock, "48213"), 10 * time.Second, 503, `{"lease":"acme-752b7817f6",` +
			`"namespace":"default","identity":"web-5d9_id","isLeader":false,"leader":"","token":"","transitions":7,` +
			`"since":null,"validUntil":null,"validUntilBoottimeNs":null,"bootID":"boot"}`},
		{"standing by", standsBy("web-x"), 0, 503, `{"lease":"acme-752b7817f6","namespace":"default",` +
			`"identity":"web-5d9_id","isLeader":false,"leader":"web-x","token":"","transitions":8,"since":null,` +
			`"validUntil":null,"validUntilBoottimeNs":null,"bootID":"boot"}`},
		{"draining", drains(d.clock), 0, 503, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.election.level = c.level
			d.clock.advance(c.after)
			defer d.clock.advance(-c.after)
			get, head := d.ask(t, "GET", "/leader"), d.ask(t, "HEAD", "/leader")
			if get.Code != c.status || head.Code != c.status {
				t.Errorf("GET %d, HEAD %d, want %d", get.Code, head.Code, c.status)
			}
			if got := strings.TrimSuffix(get.Body.String(), "\n"); c.body != "" && got != c.body {
				t.Errorf("body (-want +got):\n%s", cmp.Diff(c.body, got))
			}
			want := http.Header{
				"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"},
				"Content-Length": head.Header()["Content-Length"],
			}
			if diff := cmp.Diff(want, get.Header()); diff != "" || len(want["Content-Length"]) == 0 {
				t.Errorf("headers of GET against HEAD's (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClassicAnswerIsTheSameToTheByte(t *testing.T) {
	d := newDesk(true)
	for _, c := range []struct {
		level leadership.Leadership
		after time.Duration
		want  string
	}{
		{leads(d.clock, "5"), 0, `{"name":"web-5d9"}`},
		{standsBy("web-x"), 0, `{"name":"web-x"}`},
		{standsBy(""), 0, `{"name":""}`},
		{standsBy("a\"b\n"), 0, `{"name":"a\"b\n"}`},
		{leads(d.clock, "5"), 10 * time.Second, `{"name":""}`},
	} {
		d.election.level = c.level
		d.clock.advance(c.after)
		w := d.ask(t, "GET", "/")
		d.clock.advance(-c.after)
		if w.Code != 200 || w.Body.String() != c.want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("GET / with leader %q: %d %q %q, want 200 application/json %q",
				c.level.Leader, w.Code, w.Header().Get("Content-Type"), w.Body, c.want)
		}
	}
}

func TestOrders(t *testing.T) {
	clock := newClock()
	leading, standby, draining := leads(clock, "5"), standsBy("web-x"), drains(clock)
	for _, c := range []struct {
		name, path string
		level      leadership.Leadership
		forbidden  bool // --allow-step-down=false
		want       int
		says       string
	}{
		{"step down, leading", "/step-down", leading, false, 202, "handing over"},
		{"step down, standing by", "/step-down", standby, false, 409, "web-x"},
		{"step down, nobody leads", "/step-down", standsBy(""), false, 409, "the one that does"},
		{"step down, draining", "/step-down", draining, false, 409, "already handing over"},
		{"step down, not allowed", "/step-down", leading, true, 403, "--allow-step-down"},
		{"drained, draining", "/drained", draining, false, 202, "noted"},
		{"drained, draining, no step-down", "/drained", draining, true, 202, "noted"},
		{"drained, leading", "/drained", leading, false, 409, "no handover waits"},
		{"drained, standing by", "/drained", standby, false, 409, "no handover waits"},
		{"quit", "/quitquitquit", leading, false, 202, "ending"},
		{"quit, leading, no step-down", "/quitquitquit", leading, true, 403, "--allow-step-down"},
		{"quit, standing by, no step-down", "/quitquitquit", standby, true, 202, "ending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(!c.forbidden)
			d.election.level = c.level
			w := d.ask(t, "POST", c.path)
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Errorf("body %q: %v", w.Body, err)
			}
			if w.Code != c.want || !strings.Contains(body["error"]+body["status"], c.says) {
				t.Errorf("%d %v, want %d and %q", w.Code, body, c.want, c.says)
			}
			if got, want := len(d.election.ordered) > 0, c.path == "/step-down" && c.want == 202; got != want {
				t.Errorf("stepped down: %v, want %v", got, want)
			}
			if got, want := d.quits > 0, c.path == "/quitquitquit" && c.want == 202; got != want {
				t.Errorf("quit: %v, want %v", got, want)
			}
		})
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	d := newDesk(true)
	for _, c := range []struct {
		method, path string
		want         int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/leader/", 404, ""},
		{"POST", "/leader", 405, "GET, HEAD"},
		{"DELETE", "/", 405, "GET, HEAD"},
		{"OPTIONS", "/leader", 405, "GET, HEAD"},
		{"GET", "/step-down", 405, "POST"},
		{"HEAD", "/drained", 405, "POST"},
		{"PUT", "/quitquitquit", 405, "POST"},
		{"GET", "/metrics", 404, ""},
	} {
		w := d.ask(t, c.method, c.path)
		if w.Code != c.want || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q, want %d, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.want, c.allow)
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
			for _, path := range []string{"/step-down", "/drained", "/quitquitquit"} {
				d := newDesk(true)
				if d.election.level = leads(d.clock, "5"); path == "/drained" {
					d.election.level = drains(d.clock)
				}
				w := d.ask(t, "POST", path, c.change)
				if w.Code != c.want {
					t.Errorf("POST %s: %d %s, want %d", path, w.Code, w.Body, c.want)
				}
				if acted := len(d.election.ordered) + d.quits + len(d.reports); c.want != 202 && acted != 0 {
					t.Errorf("POST %s was refused and done", path)
				}
			}
		})
	}
}

// TestReportNamesItsTerm: the token of a report comes from the query or from a JSON body.
func TestReportNamesItsTerm(t *testing.T) {
	for _, c := range []struct {
		query, body string
		want        int
		token       string
	}{
		{"", "", 202, ""},
		{"", "{}", 202, ""},
		{"", " \n", 202, ""},
		{"", `{"token":"48213"}`, 202, "48213"},
		{"?token=48213", "", 202, "48213"},
		{"?token=48213", `{"token":"48213"}`, 202, "48213"},
		{"?token=48213", `{"token":"7"}`, 400, ""},
		{"", `{"token":7}`, 400, ""},
		{"", `[]`, 400, ""},
		{"", `token=7`, 400, ""},
		{"", `{"token":"7"`, 400, ""},
	} {
		d := newDesk(true)
		d.election.level = drains(d.clock)
		w := d.ask(t, "POST", "/drained"+c.query, func(r *http.Request) { setBody(r, c.body) })
		var want []string
		if c.want == 202 {
			want = []string{c.token}
		}
		if w.Code != c.want || !slices.Equal(d.reports, want) {
			t.Errorf("query %q, body %q: %d %s, reported %q; want %d, %q", c.query, c.body, w.Code, w.Body, d.reports, c.want, want)
		}
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
		d := newDesk(true)
		d.election.level = leads(d.clock, "5")
		w := d.ask(t, "POST", "/step-down", func(r *http.Request) { r.Host = host })
		if got := w.Code == 202; got != want {
			t.Errorf("Host %q: %d %s, want it taken: %v", host, w.Code, w.Body, want)
		}
		if read := d.ask(t, "GET", "/leader", func(r *http.Request) { r.Host = host }); read.Code != 200 {
			t.Errorf("Host %q: GET /leader answers %d, want 200: reading is open", host, read.Code)
		}
	}
}
