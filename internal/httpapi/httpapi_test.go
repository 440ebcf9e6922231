package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// stuck is an election whose loop has stopped turning: it answers for ever what it was set to, whatever the clock says. It
// shows what the handlers judge by themselves. The real elector is in TestElectionOverHTTP.
type stuck struct {
	mu      sync.Mutex
	now     leadership.Leadership
	unready string // why it could not lead
	turns   bool   // its loop does, after all
	ordered []string
}

func (e *stuck) Leadership() leadership.Leadership {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *stuck) StepDown(cause string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.now.IsLeader:
	case e.now.ValidUntil.IsZero():
		return elector.ErrNotLeading
	default:
		return elector.ErrDraining
	}
	e.ordered = append(e.ordered, cause)
	return nil
}

func (e *stuck) Leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ordered = append(e.ordered, "leave")
}

func (e *stuck) Ready() error {
	if e.unready != "" {
		return errors.New(e.unready)
	}
	return nil
}

func (e *stuck) Alive(ctx context.Context) error {
	if e.turns {
		return nil
	}
	<-ctx.Done()
	return elector.ErrNotRunning
}

// fixture is the workload's handler over a stuck election.
type fixture struct {
	clock    *clocktest.Hand
	election *stuck
	reports  []string // the tokens of the stops that were reported
	quits    int
	handler  http.Handler
}

func newFixture(allowStepDown bool) *fixture {
	f := &fixture{clock: clocktest.NewHand(), election: &stuck{}}
	f.handler = NewWorkloadHandler(f.config(allowStepDown, CompatOff))
	return f
}

func (f *fixture) config(allowStepDown bool, compat Compat) WorkloadConfig {
	return WorkloadConfig{
		Election: f.election, Clock: f.clock, Feed: NewFeed(f.clock), Drained: f.drained,
		Quit: func() { f.quits++ }, AllowStepDown: allowStepDown, Compat: compat,
	}
}

// errNoDrain is why the fixture refuses a report.
var errNoDrain = errors.New("no handover waits")

func (f *fixture) drained(l leadership.Leadership, token string) error {
	if l.IsLeader || l.ValidUntil.IsZero() {
		return errNoDrain
	}
	f.reports = append(f.reports, token)
	return nil
}

func (f *fixture) ask(t *testing.T, method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, f.handler, method, path, change...)
}

// ask sends a request to a handler as if over a loopback-bound listener.
func ask(t *testing.T, h http.Handler, method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:4040"+path, nil)
	r = r.WithContext(withLoopback(t.Context(), true))
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// memoryListener is a listener whose connections a test puts in.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error { l.once.Do(func() { close(l.closed) }); return nil }
func (*memoryListener) Addr() net.Addr { return &net.TCPAddr{} }
