//go:build linux

package harness

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy is a TCP line to the API server that a test can cut: a cut line swallows all bytes in both directions
// and neither refuses nor closes anything, as a partitioned network does.
type Proxy struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	healed *sync.Cond
	cut    bool
	closed bool
	lines  map[net.Conn]struct{}
	copies sync.WaitGroup
}

// Proxy starts a line to the cluster's API server. It ends with the test.
func (c *Cluster) Proxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the proxy: %v", err)
	}
	p := &Proxy{listener: l, target: strings.TrimPrefix(c.Host(), "https://"), lines: map[net.Conn]struct{}{}}
	p.healed = sync.NewCond(&p.mu)
	p.copies.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Host is the line's near end, for a kubeconfig.
func (p *Proxy) Host() string { return "https://" + p.listener.Addr().String() }

// Cut stops all bytes, of standing connections and new ones. Bytes that were already under way may still arrive.
func (p *Proxy) Cut() { p.set(true) }

// Heal lets the bytes go on, those held back first: what was sent during the cut arrives late.
func (p *Proxy) Heal() { p.set(false) }

func (p *Proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	p.healed.Broadcast()
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.copies.Go(func() { p.join(near) })
	}
}

// join carries one connection's bytes both ways until either end closes.
func (p *Proxy) join(near net.Conn) {
	if !p.hold(near) {
		return
	}
	defer p.drop(near)
	far, err := net.Dial("tcp", p.target)
	if err != nil || !p.hold(far) {
		return
	}
	defer p.drop(far)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		p.copies.Go(func() {
			p.carry(way[1], way[0])
			done <- struct{}{}
		})
	}
	<-done
}

func (p *Proxy) carry(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		for p.cut && !p.closed {
			p.healed.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(b[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold remembers a connection for close; false where the proxy is closed already.
func (p *Proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.lines[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, c)
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.lines {
		_ = c.Close()
	}
	p.healed.Broadcast()
	p.mu.Unlock()
	p.copies.Wait()
}
