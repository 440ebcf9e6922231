package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock stands still.
var clock = clocktest.NewHand()

// leads is the leadership of a term that runs for d more.
func leads(token string, d time.Duration) leadership.Leadership {
	l := leadershiptest.Leading(clock, token)
	l.ValidUntil = clock.Now().Add(d)
	return l
}

func standby() leadership.Leadership { return leadershiptest.Standby("") }

func newSignal(t *testing.T, address, statuses string) *Signal {
	t.Helper()
	u, err := ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	success, err := ParseStatuses(statuses)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{URL: u, Timeout: time.Second, Success: success, Clock: clock})
}

// serve starts a receiver, and returns its URL and the calls that it has got.
func serve(t *testing.T, answer http.HandlerFunc) (string, func() []string) {
	t.Helper()
	calls := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var l leadership.Leadership
		if err := json.Unmarshal(body, &l); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		calls <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + l.Token
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (all []string) {
		for len(calls) > 0 {
			all = append(all, <-calls)
		}
		return all
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func wantCalls(t *testing.T, calls []string, want ...string) {
	t.Helper()
	if strings.Join(calls, "\n") != strings.Join(want, "\n") {
		t.Errorf("calls: %q, want %q", calls, want)
	}
}

func TestTransitionsAreSentAndRenewalsAreNot(t *testing.T) {
	address, calls := serve(t, status(204))
	s := newSignal(t, address+"/leadership", "2xx")
	for _, l := range []leadership.Leadership{
		standby(), standby(), leads("48", time.Second), leads("48", 2*time.Second), leads("50", time.Second), leads("50", 0),
	} {
		if err := s.Apply(t.Context(), l); err != nil {
			t.Errorf("Apply: %v", err)
		}
	}
	const post = "POST /leadership application/json "
	wantCalls(t, calls(), post, post+"48", post+"50", post) // the last term has run out
}

func TestAnswers(t *testing.T) {
	var elsewhere atomic.Bool
	other, _ := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Store(true) })
	tests := map[string]struct {
		answer   http.HandlerFunc
		statuses string
		want     string // of the error; "" for success
	}{
		"well":                 {status(200), "2xx", ""},
		"no content":           {status(204), "2xx", ""},
		"a code of the list":   {status(202), "200,202", ""},
		"a code that is not":   {status(204), "200,202", "answered 204, want 200,202"},
		"a server's error":     {status(500), "2xx", "answered 500"},
		"a redirect":           {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusTemporaryRedirect) }, "2xx", "answered 307"},
		"too slow":             {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "2xx", "deadline exceeded"},
		"headers without end":  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 64<<10)) }, "2xx", "header"},
		"a connection cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "2xx", "EOF"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			address, calls := serve(t, tc.answer)
			s := newSignal(t, address, tc.statuses)
			err := s.Apply(t.Context(), leads("48", time.Second))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Apply: %v, want %q", err, tc.want)
			}
			_ = s.Apply(t.Context(), leads("48", time.Second))
			if got, want := len(calls()), map[bool]int{true: 1, false: 2}[err == nil]; got != want {
				t.Errorf("%d calls for two leaderships of one term, want %d", got, want)
			}
		})
	}
	if elsewhere.Load() {
		t.Error("the redirect was followed")
	}
}

// endless sends a body until the other side has had enough.
func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 4096)); err != nil {
			return
		}
	}
}

func TestABodyWithoutEndIsNotReadOn(t *testing.T) {
	address, _ := serve(t, endless)
	s := newSignal(t, address, "2xx")
	s.cfg.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Apply(ctx, leads("48", time.Second)); err != nil || ctx.Err() != nil {
		t.Errorf("Apply: %v, context %v; want that it ends before its context", err, ctx.Err())
	}
}

// A receiver may have read the term of a call that failed: the loss must be sent all the same.
func TestALossIsSentAfterACallThatFailed(t *testing.T) {
	code := atomic.Int64{}
	code.Store(200)
	address, calls := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) })
	s := newSignal(t, address, "2xx")
	_ = s.Apply(t.Context(), standby())
	code.Store(500)
	_ = s.Apply(t.Context(), leads("48", time.Second))
	code.Store(200)
	if err := s.Apply(t.Context(), standby()); err != nil {
		t.Errorf("Apply: %v", err)
	}
	const post = "POST / application/json "
	wantCalls(t, calls(), post, post+"48", post)
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := newSignal(t, "http://"+l.Addr().String(), "2xx")
	if err := s.Apply(t.Context(), leads("48", time.Second)); err == nil {
		t.Error("a term that nobody has taken counts as applied")
	}
	if err := s.Apply(t.Context(), standby()); err != nil {
		t.Errorf("a loss with no workload: %v, want nil", err)
	}
	if err := s.Apply(t.Context(), leads("48", time.Second)); err == nil {
		t.Error("a term that nobody has taken counts as applied")
	}
}

func TestANewerLeadershipEndsTheCall(t *testing.T) {
	address, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancelCause(t.Context())
	newer := errors.New("newer")
	time.AfterFunc(20*time.Millisecond, func() { cancel(newer) })
	s := newSignal(t, address, "2xx")
	s.cfg.Timeout = time.Minute
	if err := s.Apply(ctx, leads("48", time.Second)); err == nil {
		t.Error("Apply: nil, want that it was cut short")
	}
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	if s := newSignal(t, "http://example.com", "2xx"); s.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is looked for, want none")
	}
}

// The address is judged when it is dialled: a name that resolves to a forbidden one is found there too.
func TestForbiddenAddresses(t *testing.T) {
	for _, address := range []string{
		"169.254.169.254:80", "[fe80::1%lo]:80", "[::ffff:169.254.169.254]:80", "[ff02::1]:80", "0.0.0.0:80", "[::]:80",
		"[fd00:ec2::254]:80", "nonsense",
	} {
		if err := dialer().Control("tcp", address, nil); err == nil {
			t.Errorf("%s may be dialled, want it refused", address)
		}
	}
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "10.0.0.1:80", "192.168.1.1:80", "[fd00::1]:80", "8.8.8.8:80"} {
		if err := dialer().Control("tcp", address, nil); err != nil {
			t.Errorf("%s: %v, want it dialled", address, err)
		}
	}
	s := newSignal(t, "http://127.0.0.1", "2xx")
	s.cfg.URL.parsed.Host = "169.254.169.254" // as if the name had resolved to it
	if err := s.Apply(t.Context(), leads("48", time.Second)); err == nil || !strings.Contains(err.Error(), "link-local") {
		t.Errorf("Apply: %v, want that the address is link-local", err)
	}
}

func TestParseURL(t *testing.T) {
	for text, loopback := range map[string]bool{
		"http://127.0.0.1:8080/x?a=b": true, "http://localhost": true, "https://[::1]/": true, "http://127.8.0.1": true,
		"http://hook.default.svc:80/x": false, "https://10.0.0.1": false, "http://localhost.example.com": false,
	} {
		u, err := ParseURL(text)
		if err != nil || u.Loopback() != loopback || u.String() != text {
			t.Errorf("ParseURL(%q) = %v, %v; want it, loopback %v", text, u.parsed, err, loopback)
		}
	}
	for _, text := range []string{
		"", "127.0.0.1:8080", "ftp://x", "http://", "http:///x", "http:x", "http://u:secret@x/", "http://x/#y",
		"http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0/", "http://[::ffff:a9fe:a9fe]/", "http://x:y/",
	} {
		u, err := ParseURL(text)
		if err == nil {
			t.Errorf("ParseURL(%q) = %v, want an error", text, u.parsed)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseURL(%q) shows the password: %v", text, err)
		}
	}
}

func TestParseStatuses(t *testing.T) {
	s, err := ParseStatuses("2xx, 404,500")
	if err != nil || s.String() != "2xx,404,500" {
		t.Errorf("ParseStatuses = %v, %v", s, err)
	}
	for code, want := range map[int]bool{199: false, 200: true, 299: true, 300: false, 404: true, 405: false, 500: true} {
		if got := s.Include(code); got != want {
			t.Errorf("Include(%d) = %v, want %v", code, got, want)
		}
	}
	for _, text := range []string{"", "2", "xx", "1xx", "3xx", "304", "600", "6xx", "2XX", "200;201", "200,", "-1"} {
		if s, err := ParseStatuses(text); err == nil {
			t.Errorf("ParseStatuses(%q) = %v, want an error", text, s)
		}
	}
}
