package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// patience is how long a client reads a stream.
const patience = 50 * time.Millisecond

// sentConn is the connection of a client that sends bytes and then nothing more, and keeps the answers.
type sentConn struct {
	sends *bytes.Reader
	gone  atomic.Bool

	mu       sync.Mutex
	answered bytes.Buffer
	once     sync.Once
	closed   chan struct{}
}

func (c *sentConn) Read(b []byte) (int, error) { return c.sends.Read(b) }

func (c *sentConn) Write(b []byte) (int, error) {
	if c.gone.Load() {
		return 0, net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered.Write(b)
}

func (c *sentConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *sentConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *sentConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *sentConn) SetDeadline(time.Time) error      { return nil }
func (c *sentConn) SetReadDeadline(time.Time) error  { return nil }
func (c *sentConn) SetWriteDeadline(time.Time) error { return nil }

// surface is a handler behind the server that the sidecar runs, and what that server logs.
type surface struct {
	name    string
	fixture *fixture // nil for the probes, which have none
	orders  bool     // whether it may take any
	conns   *memoryListener
	panics  *panics
}

// panics keeps what the server logs of handlers that panic.
type panics struct {
	slog.Handler
	mu   sync.Mutex
	last string
}

func (h *panics) Enabled(context.Context, slog.Level) bool { return true }

func (h *panics) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.Contains(r.Message, "panic") {
		h.last = r.Message
	}
	return nil
}

// open serves the handler until the test is over.
func (s *surface) open(f *testing.F, h http.Handler, loopback bool) *surface {
	s.conns = newMemoryListener()
	s.panics = &panics{Handler: slog.DiscardHandler}
	serve(f, newListener(nil, slog.New(s.panics), loopback, 1000, s.conns), h)
	return s
}

// send sends the bytes over a connection, and returns the answers.
func (s *surface) send(b []byte) []byte {
	l := &sentConn{sends: bytes.NewReader(b), closed: make(chan struct{})}
	s.conns.conns <- l
	select {
	case <-l.closed:
	case <-time.After(patience): // a stream that nothing ends: the client closes it
		l.gone.Store(true)
		<-l.closed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered.Bytes()
}

// FuzzHTTP sends bytes to every surface: the workload's, as it is reached by loopback and from elsewhere, as the classic
// sidecar and as nais's, without step-down, and the probes. Each request is answered, by no status but those that are
// meant, no handler panics, and an order is taken only where it came by POST, for a loopback host, to an address that
// only this machine can reach.
func FuzzHTTP(f *testing.F) {
	surfaces := surfaces(f)
	for i, request := range []string{
		"GET /leader HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /step-down HTTP/1.1\r\nHost: 127.0.0.1:4040\r\nContent-Length: 2\r\n\r\n{}",
		"POST /leave HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /drained HTTP/1.1\r\nHost: evil.example\r\nOrigin: null\r\n\r\n",
		"BREW //quitquitquit/.. HTTP/1.0\r\n\r\n",
		"POST http://localhost/quitquitquit HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"GET /events HTTP/1.1\r\nHost: [::1\r\n\r\n", "GET /sse HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n\r\n",
		"POST /step-down HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		for s := range surfaces {
			f.Add([]byte(request), uint8(s), i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, request []byte, which uint8, leading bool) {
		s := surfaces[int(which)%len(surfaces)]
		s.prepare(leading)
		answers := s.send(request)
		if s.panics.last != "" {
			t.Fatalf("%s: %s", s.name, s.panics.last)
		}
		said := s.judgeAnswers(t, request, answers)
		if may := s.mayTake(request); said > may || s.taken() > may {
			t.Fatalf("%s: %q was answered by %q: %d orders taken, %d done, %d allowed", s.name, request, answers, said, s.taken(), may)
		}
	})
}

func surfaces(f *testing.F) []*surface {
	var all []*surface
	for _, c := range []struct {
		name     string
		compat   Compat
		stepDown bool
		loopback bool
	}{
		{"the workload's", CompatOff, true, true},
		{"the workload's, without step-down", CompatOff, false, true},
		{"the workload's, from elsewhere", CompatOff, true, false},
		{"classic", CompatClassic, true, true},
		{"nais", CompatNais, true, true},
	} {
		d := newFixture(c.stepDown)
		feed := NewFeed(d.clock)
		feed.heartbeat = patience / 10
		config := d.config(c.stepDown, c.compat)
		config.Feed = feed
		h := NewWorkloadHandler(config)
		s := &surface{name: c.name, fixture: d, orders: c.loopback && c.compat != CompatClassic}
		all = append(all, s.open(f, h, c.loopback))
	}
	clock := clocktest.NewHand()
	e := &stuck{now: leadershiptest.Leading(clock, "5")}
	probes := NewProbeHandler(ProbeConfig{
		Election: e, Clock: clock, Started: func() bool { return true },
		Metrics: metrics.New(metrics.Config{Lease: "acme-1", Version: "v0", Clock: clock, Leadership: e.Leadership}),
	})
	return append(all, (&surface{name: "probes"}).open(f, probes, true))
}

// prepare sets the leadership, draining or leading, and forgets the orders.
func (s *surface) prepare(leading bool) {
	if s.fixture == nil {
		return
	}
	d := s.fixture
	d.quits, d.reports = 0, nil
	d.election.mu.Lock()
	defer d.election.mu.Unlock()
	d.election.ordered = nil
	if d.election.now = leadershiptest.Draining(d.clock); leading {
		d.election.now = leadershiptest.Leading(d.clock, "5")
	}
}

// taken counts what was done.
func (s *surface) taken() int {
	if s.fixture == nil {
		return 0
	}
	return len(s.fixture.election.ordered) + s.fixture.quits + len(s.fixture.reports)
}

// mayTake counts the requests that may be an order, as another reader of the bytes sees them.
func (s *surface) mayTake(b []byte) int {
	n := 0
	for r := bufio.NewReader(bytes.NewReader(b)); s.orders; {
		request, err := http.ReadRequest(r)
		if err != nil {
			return n
		}
		_, _ = io.Copy(io.Discard, request.Body)
		if request.Method == http.MethodPost && loopbackName(request.Host) && request.Header.Get("X-Forwarded-For") == "" {
			n++
		}
	}
	return n
}

// loopbackName knows the loopback hosts by another parser.
func loopbackName(host string) bool {
	u, err := url.Parse("http://" + host)
	if err != nil {
		return false
	}
	name, _, _ := strings.Cut(u.Hostname(), "%")
	return strings.EqualFold(name, "localhost") || net.ParseIP(name).IsLoopback()
}

// judgeAnswers reads the answers, and counts the orders that were taken.
func (s *surface) judgeAnswers(t *testing.T, request, answers []byte) (taken int) {
	t.Helper()
	for r := bufio.NewReader(bytes.NewReader(answers)); ; {
		if _, err := r.Peek(1); err != nil {
			return taken
		}
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			return taken // the answer to HEAD has no body; what follows cannot be parsed without the request
		}
		switch response.StatusCode {
		case 200, 301, 307, 400, 403, 404, 405, 409, 413, 417, 431, 501, 503, 505:
		case http.StatusAccepted:
			taken++
		case http.StatusContinue:
			continue
		default:
			t.Fatalf("%s: %q is answered with %s", s.name, request, response.Status)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return taken
		}
	}
}
