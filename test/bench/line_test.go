//go:build linux

package bench

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// traffic counts what candidates have asked the API server, and what it has sent to them.
type traffic struct {
	requests  atomic.Int64 // watches at their start
	conflicts atomic.Int64 // answers 409
	failures  atomic.Int64 // no answer, or another one that is not 2xx
	events    atomic.Int64 // that watches have delivered
	open      atomic.Int64 // connections
	dialled   atomic.Int64
	takes     reach

	mu      sync.Mutex
	writes  []time.Duration // how long each PUT took, while sampled is true
	sampled bool
}

// sample begins to note how long each write takes, and returns those noted before.
func (c *traffic) sample(on bool) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	noted := c.writes
	c.writes, c.sampled = nil, on
	return noted
}

func (c *traffic) wrote(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sampled {
		c.writes = append(c.writes, took)
	}
}

// errCut answers who is cut off.
var errCut = errors.New("the candidate's line is cut")

// line is one candidate's own way to the API server: nobody shares its connections, as no two pods do.
type line struct {
	count   *traffic
	reached func() // called at the first answer; once

	mu    sync.Mutex
	conns map[*lineConn]struct{}
	isCut bool
}

func newLine(count *traffic, reached func()) *line {
	return &line{count: count, reached: sync.OnceFunc(reached), conns: map[*lineConn]struct{}{}}
}

// config returns base with all connections on this line.
func (l *line) config(base *rest.Config) *rest.Config {
	c := rest.CopyConfig(base)
	c.Dial = l.dial // also keeps client-go from sharing one transport among equal configurations
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{l, next} })
	return c
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		_ = conn.Close()
		return nil, errCut
	}
	mine := &lineConn{Conn: conn, line: l}
	l.conns[mine] = struct{}{}
	l.count.open.Add(1)
	l.count.dialled.Add(1)
	return mine, nil
}

// cut closes all connections, and allows no more, as the end of a process does.
func (l *line) cut() {
	l.mu.Lock()
	l.isCut = true
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
		l.count.open.Add(-1)
	}
}

func (l *line) gone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isCut
}

// lineConn is one connection of a line.
type lineConn struct {
	net.Conn

	line *line
}

// Close implements [net.Conn].
func (c *lineConn) Close() error {
	c.line.mu.Lock()
	if _, open := c.line.conns[c]; open {
		delete(c.line.conns, c)
		c.line.count.open.Add(-1)
	}
	c.line.mu.Unlock()
	return c.Conn.Close()
}

// counting counts the requests of a line.
type counting struct {
	line *line
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.line.gone() {
		return nil, errCut // what was killed sends nothing
	}
	count, began := c.line.count, time.Now()
	count.requests.Add(1)
	answer, err := c.next.RoundTrip(req)
	switch {
	case err != nil:
		if req.Context().Err() == nil { // else the candidate has given it up
			count.failures.Add(1)
		}
		return nil, err
	case answer.StatusCode == http.StatusConflict:
		count.conflicts.Add(1)
	case answer.StatusCode >= http.StatusMultipleChoices:
		count.failures.Add(1)
	}
	if req.Method == http.MethodPut {
		count.wrote(time.Since(began))
	}
	c.line.reached()
	return answer, nil
}

// WrappedRoundTripper lets client-go find the transport below, for CloseIdleConnections.
func (c counting) WrappedRoundTripper() http.RoundTripper { return c.next }
