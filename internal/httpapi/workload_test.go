package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestLeaderIsJudgedAtTheRequest(t *testing.T) {
	f := newFixture(true)
	for _, c := range []struct {
		name   string
		now    leadership.Leadership
		after  time.Duration
		status int
		body   string
	}{
		{"leading", leadershiptest.Leading(f.clock, "48213"), 0, 200, `{"lease":"acme-752b7817f6","namespace":"default","identity":"web-5d9_id",` +
			`"isLeader":true,"leader":"web-5d9","token":"48213","transitions":7,"since":"2026-11-22T10:00:00.000Z",` +
			`"validUntil":"2026-11-22T10:00:10.000Z","validUntilBoottimeNs":"822000000000","bootID":"boot"}`},
		{"leading for a last nanosecond", leadershiptest.Leading(f.clock, "48213"), 10*time.Second - 1, 200, ""},
		{"its term over, its loop stuck", leadershiptest.Leading(f.clock, "48213"), 10 * time.Second, 503, `{"lease":"acme-752b7817f6",` +
			`"namespace":"default","identity":"web-5d9_id","isLeader":false,"leader":"","token":"","transitions":7,` +
			`"since":null,"validUntil":null,"validUntilBoottimeNs":null,"bootID":"boot"}`},
		{"standing by", leadershiptest.Standby("web-x"), 0, 503, `{"lease":"acme-752b7817f6","namespace":"default",` +
			`"identity":"web-5d9_id","isLeader":false,"leader":"web-x","token":"","transitions":8,"since":null,` +
			`"validUntil":null,"validUntilBoottimeNs":null,"bootID":"boot"}`},
		{"draining", leadershiptest.Draining(f.clock), 0, 503, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.election.now = c.now
			f.clock.Advance(c.after)
			defer f.clock.Advance(-c.after)
			get, head := f.ask(t, "GET", "/leader"), f.ask(t, "HEAD", "/leader")
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
	f := newFixture(true)
	for _, c := range []struct {
		now   leadership.Leadership
		after time.Duration
		want  string
	}{
		{leadershiptest.Leading(f.clock, "5"), 0, `{"name":"web-5d9"}`},
		{leadershiptest.Standby("web-x"), 0, `{"name":"web-x"}`},
		{leadershiptest.Standby(""), 0, `{"name":""}`},
		{leadershiptest.Standby("a\"b\n"), 0, `{"name":"a\"b\n"}`},
		{leadershiptest.Leading(f.clock, "5"), 10 * time.Second, `{"name":""}`},
	} {
		f.election.now = c.now
		f.clock.Advance(c.after)
		w := f.ask(t, "GET", "/")
		f.clock.Advance(-c.after)
		if w.Code != 200 || w.Body.String() != c.want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("GET / with leader %q: %d %q %q, want 200 application/json %q",
				c.now.Leader, w.Code, w.Header().Get("Content-Type"), w.Body, c.want)
		}
	}
}

func TestOrders(t *testing.T) {
	clock := clocktest.NewHand()
	leading, standby, draining := leadershiptest.Leading(clock, "5"), leadershiptest.Standby("web-x"), leadershiptest.Draining(clock)
	for _, c := range []struct {
		name, path string
		now        leadership.Leadership
		forbidden  bool // AllowStepDown is false
		want       int
		says       string
	}{
		{"step down, leading", "/step-down", leading, false, 202, "handing over"},
		{"step down, standing by", "/step-down", standby, false, 409, "web-x"},
		{"step down, nobody leads", "/step-down", leadershiptest.Standby(""), false, 409, "the one that does"},
		{"step down, draining", "/step-down", draining, false, 409, "already handing over"},
		{"step down, not allowed", "/step-down", leading, true, 403, "allow-step-down"},
		{"leave, leading, no step-down", "/leave", leading, true, 202, "leaving"},
		{"leave, standing by", "/leave", standby, false, 202, "leaving"},
		{"drained, draining", "/drained", draining, false, 202, "noted"},
		{"drained, draining, no step-down", "/drained", draining, true, 202, "noted"},
		{"drained, leading", "/drained", leading, false, 409, "no handover waits"},
		{"drained, standing by", "/drained", standby, false, 409, "no handover waits"},
		{"quit", "/quitquitquit", leading, false, 202, "ending"},
		{"quit, leading, no step-down", "/quitquitquit", leading, true, 403, "allow-step-down"},
		{"quit, standing by, no step-down", "/quitquitquit", standby, true, 202, "ending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(!c.forbidden)
			f.election.now = c.now
			w := f.ask(t, "POST", c.path)
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Errorf("body %q: %v", w.Body, err)
			}
			if w.Code != c.want || !strings.Contains(body["error"]+body["status"], c.says) {
				t.Errorf("%d %v, want %d and %q", w.Code, body, c.want, c.says)
			}
			if got, want := len(f.election.ordered) > 0, (c.path == "/step-down" || c.path == "/leave") && c.want == 202; got != want {
				t.Errorf("an order was given: %v, want %v", got, want)
			}
			if got, want := f.quits > 0, c.path == "/quitquitquit" && c.want == 202; got != want {
				t.Errorf("quit: %v, want %v", got, want)
			}
		})
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	f := newFixture(true)
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
		{"GET", "/leave", 405, "POST"},
		{"HEAD", "/drained", 405, "POST"},
		{"PUT", "/quitquitquit", 405, "POST"},
		{"GET", "/metrics", 404, ""},
		{"GET", "/sse", 404, ""}, // it is nais's
	} {
		w := f.ask(t, c.method, c.path)
		if w.Code != c.want || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q, want %d, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.want, c.allow)
		}
		wantExplained(t, w, c.path, c.allow)
	}
}

// wantExplained checks that an answer is an error in JSON, that its only text has those parts, and that HEAD's length is right.
func wantExplained(t *testing.T, w *httptest.ResponseRecorder, parts ...string) {
	t.Helper()
	var document map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatalf("%q: %v", w.Body, err)
	}
	for _, part := range parts {
		if !strings.Contains(document["error"], part) || len(document) != 1 {
			t.Errorf("%s: want an error with %q", w.Body, part)
		}
	}
	want := http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(w.Body.Len())}}
	got := http.Header{"Content-Type": w.Header()["Content-Type"], "Content-Length": w.Header()["Content-Length"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
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
		f := newFixture(true)
		f.election.now = leadershiptest.Draining(f.clock)
		w := f.ask(t, "POST", "/drained"+c.query, func(r *http.Request) { setBody(r, c.body) })
		var want []string
		if c.want == 202 {
			want = []string{c.token}
		}
		if w.Code != c.want || !slices.Equal(f.reports, want) {
			t.Errorf("query %q, body %q: %d %s, reported %q; want %d, %q", c.query, c.body, w.Code, w.Body, f.reports, c.want, want)
		}
	}
}
