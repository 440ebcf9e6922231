package httpapi

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const (
	// MaxProbeConnections bounds the open connections of the probe listener: the kubelet and Prometheus need a few. With all of
	// them open the process has some 5 MiB more.
	MaxProbeConnections = 256
	// MaxWorkloadConnections bounds those of the workload's listener. Beyond its streams there is the same room for requests.
	MaxWorkloadConnections = maxStreams + 16 + 256
	// reportPause is the least time between two lines of the log about closed connections.
	reportPause = time.Minute
)

// connections bounds the open connections of a listener. A connection beyond the limit takes the place of one without a request: of
// the client address that has most of them, the one that has waited for the longest time. So a flood of idle connections pushes out
// itself, and a probe is answered although its connection is new. A connection keeps its place while its request is answered; if all
// are in that state, the new one is closed.
//
// To close idle connections sooner would not do: a client can open them faster than any timeout. To refuse new ones at the limit
// would lock the kubelet out, which needs a new connection for each probe.
type connections struct {
	most int
	log  *slog.Logger

	mu       sync.Mutex
	open     map[net.Conn]*place
	sources  map[string]*source
	waits    int // how often a connection began to wait for a request
	closed   int // for want of room
	reported time.Time
}

// place is an open connection.
type place struct {
	conn    net.Conn
	from    *source
	since   int           // the wait's number; the least has waited for the longest time
	waiting *list.Element // in from.waiting; nil while a request is answered
}

// source is a client's address with at least one open connection.
type source struct {
	address string
	open    int
	waiting list.List // of *place, the longest wait first
}

func newConnections(most int, log *slog.Logger) *connections {
	return &connections{most: most, log: log, open: map[net.Conn]*place{}, sources: map[string]*source{}}
}

// watch has the server show its connections.
func (c *connections) watch(s *http.Server) {
	s.ConnState = c.changed
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
}

type connectionKey struct{}

// serving returns a handler that has h serve, and keeps the place of the connection meanwhile.
func (c *connections) serving(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connectionKey{}).(net.Conn)
		c.busy(conn)
		defer c.idle(conn)
		h.ServeHTTP(w, r)
	})
}

// changed follows a connection from its start to its end.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if victim := c.add(conn); victim != nil {
			reset(victim)
			c.report()
			runtime.Gosched() // those accepted before this one read their requests first, or they would be the next to go
		}
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(conn)
	case http.StateActive, http.StateIdle: // the handler knows better: a request may come byte by byte
	}
}

// add takes a connection in, and returns the one to close in exchange; nil if there is room.
func (c *connections) add(conn net.Conn) (victim net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	address := addressOf(conn)
	from := c.sources[address]
	if from == nil {
		from = &source{address: address}
		c.sources[address] = from
	}
	from.open++
	p := &place{conn: conn, from: from}
	c.open[conn] = p
	c.wait(p)
	if len(c.open) <= c.most {
		return nil
	}
	victim = c.leastWanted().conn
	c.remove(victim)
	c.closed++
	return victim
}

func addressOf(conn net.Conn) string {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return "" // whoever comes over a unix socket
}

// leastWanted returns a connection that waits for a request: there is one, the newest. The lock is held.
func (c *connections) leastWanted() *place {
	var least *place
	for _, s := range c.sources {
		front := s.waiting.Front()
		if front == nil {
			continue
		}
		p := front.Value.(*place)
		if least == nil || s.waiting.Len() > least.from.waiting.Len() || s.waiting.Len() == least.from.waiting.Len() && p.since < least.since {
			least = p
		}
	}
	return least
}

// wait makes a connection the last to go of its source. The lock is held.
func (c *connections) wait(p *place) {
	c.waits++
	p.since, p.waiting = c.waits, p.from.waiting.PushBack(p)
}

// remove forgets a connection. The lock is held.
func (c *connections) remove(conn net.Conn) {
	p := c.open[conn]
	if p == nil {
		return
	}
	if p.waiting != nil {
		p.from.waiting.Remove(p.waiting)
	}
	delete(c.open, conn)
	if p.from.open--; p.from.open == 0 {
		delete(c.sources, p.from.address)
	}
}

// busy keeps a connection's place: a request is answered.
func (c *connections) busy(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.open[conn]; p != nil && p.waiting != nil {
		p.from.waiting.Remove(p.waiting)
		p.waiting = nil
	}
}

// idle notes that a connection's request is answered.
func (c *connections) idle(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.open[conn]; p != nil && p.waiting == nil {
		c.wait(p)
	}
}

// report logs how many connections were closed, now and then.
func (c *connections) report() {
	c.mu.Lock()
	closed := c.closed
	due := time.Since(c.reported) >= reportPause
	if due {
		c.closed, c.reported = 0, time.Now()
	}
	c.mu.Unlock()
	if due {
		c.log.Warn("too many connections: those without a request are closed", "reason", "TooManyConnections", "limit", c.most, "closed", closed)
	}
}

// reset closes a connection at once: the kernel keeps nothing of it, as it would until the client closes its end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed in any case
	}
	_ = conn.Close()
}
