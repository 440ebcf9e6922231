//go:build linux

package harness

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Way is a direction of a line, or both.
type Way uint8

// Requests flow to the API server, Replies back.
const (
	Requests Way = 1 << iota
	Replies
	Both = Requests | Replies
)

// Proxy is a TCP line to the API server that a test can cut, slow down, reset and leave half open. A cut line
// swallows bytes and neither refuses nor closes anything, as a partitioned network does; nothing is ever lost, as
// TCP would send it again: what was said during a cut arrives after it.
type Proxy struct {
	listener *net.TCPListener
	target   string

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, at each change of what follows
	cut     Way
	delays  map[Way]time.Duration // of Requests and of Replies
	closed  bool
	lines   map[*line]struct{}
	count   int // of the lines so far

	traced   bool
	passages []Passage

	copies   sync.WaitGroup
	refusals refusals
}

// Proxy starts a line to the cluster's API server. It ends with the test.
func (c *Cluster) Proxy(t testing.TB) *Proxy {
	t.Helper()
	return newProxy(t, c.Host())
}

func newProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatalf("listen for the proxy: %v", err)
	}
	p := &Proxy{
		listener: l, target: strings.TrimPrefix(target, "https://"),
		changed: make(chan struct{}), delays: map[Way]time.Duration{}, lines: map[*line]struct{}{},
	}
	p.copies.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Host is the line's near end, for a kubeconfig.
func (p *Proxy) Host() string { return "https://" + p.listener.Addr().String() }

// Cut stops all bytes, of standing connections and new ones.
func (p *Proxy) Cut() { p.CutWays(Both) }

// CutWays stops the bytes of those ways, and lets those of the others pass. Connections can still be made, as the
// line's near end answers them; nothing comes through them. Heal ends it.
func (p *Proxy) CutWays(w Way) { p.change(func() { p.cut |= w }) }

// Delay lets every chunk of bytes of those ways arrive d later than it would, in order; 0 ends it.
func (p *Proxy) Delay(w Way, d time.Duration) {
	p.change(func() {
		for _, way := range []Way{Requests, Replies} {
			if w&way != 0 {
				p.delays[way] = d
			}
		}
	})
}

// Heal ends cuts and delays: the bytes held back arrive now, in order. Half-open connections stay so.
func (p *Proxy) Heal() {
	p.change(func() {
		p.cut = 0
		clear(p.delays)
	})
}

// Reset breaks every standing connection at both ends with a TCP reset. New ones work.
func (p *Proxy) Reset() {
	p.change(func() {
		for l := range p.lines {
			l.reset()
		}
	})
}

// HalfOpen leaves every standing connection open at both ends and carries nothing through it any more, not even its
// end, as a lost NAT entry does. It lasts for good. New connections work.
func (p *Proxy) HalfOpen() {
	p.change(func() {
		for l := range p.lines {
			l.dead = true
		}
	})
}

func (p *Proxy) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept() {
	p.mu.Lock()
	listener := p.listener
	p.mu.Unlock()
	for {
		near, err := listener.AcceptTCP()
		if err != nil {
			return
		}
		p.copies.Go(func() { p.join(near) })
	}
}

// join carries one connection both ways until both have ended.
func (p *Proxy) join(near *net.TCPConn) {
	defer func() { _ = near.Close() }()
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	l := &line{proxy: p, near: near, far: conn.(*net.TCPConn)}
	if !p.keep(l) {
		return
	}
	l.carry()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, l)
}

// keep remembers a line for the faults and for close; false where the proxy is closed already.
func (p *Proxy) keep(l *line) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.count++
		l.number = p.count
		p.lines[l] = struct{}{}
	}
	return !p.closed
}

// pass waits until a chunk that came at the given time may go on its way; false: never.
func (p *Proxy) pass(l *line, way Way, came time.Time) bool {
	for {
		p.mu.Lock()
		changed, closed := p.changed, p.closed
		held := l.dead || p.cut&way != 0
		wait := time.Until(came.Add(p.delays[way]))
		p.mu.Unlock()
		var due <-chan time.Time
		switch {
		case closed:
			return false
		case held:
		case wait <= 0:
			return true
		default:
			due = time.After(wait)
		}
		select {
		case <-changed:
		case <-due:
		}
	}
}

func (p *Proxy) close() {
	p.change(func() {
		_ = p.listener.Close()
		p.closed = true
		for l := range p.lines {
			l.reset()
		}
	})
	p.copies.Wait()
}
