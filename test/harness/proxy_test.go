//go:build linux

package harness

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestProxyCutsAndHeals cuts the ways of a line one by one: a cut line is silent but open, and what was said during
// the cut arrives in the end. The server hears what only the replies' cut lets through.
func TestProxyCutsAndHeals(t *testing.T) {
	for _, tc := range []struct {
		name  string
		ways  Way
		hears bool // the server does, during the cut
	}{
		{"requests", Requests, false},
		{"replies", Replies, true},
		{"both", Both, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, p, c := talking(t)
			p.CutWays(tc.ways)
			c.say("two")
			c.hearNothing(300 * time.Millisecond)
			if got := server.heard("two"); got != tc.hears {
				t.Errorf("the server has heard of it: %v, want %v", got, tc.hears)
			}
			p.Heal()
			c.hear("two")
		})
	}
}

// TestProxyDelays holds two lines back at once: they arrive after the delay, in order, and a healed line is quick.
func TestProxyDelays(t *testing.T) {
	for _, ways := range []Way{Requests, Replies} {
		const delay = 300 * time.Millisecond
		p := newEcho(t).behind(t)
		c := dial(t, p)
		p.Delay(ways, delay)
		began := time.Now()
		c.say("one")
		c.say("two")
		c.hear("one")
		c.hear("two")
		if took := time.Since(began); took < delay {
			t.Errorf("ways %d: answered after %v, want at least %v", ways, took, delay)
		}
		p.Delay(ways, time.Hour)
		c.say("three")
		c.hearNothing(100 * time.Millisecond)
		p.Delay(ways, 0)
		c.hear("three")
	}
}

// TestProxyKeepsAnEndBack closes a connection during a cut: the other side hears of it after what was said before it.
func TestProxyKeepsAnEndBack(t *testing.T) {
	server, p, c := talking(t)
	p.Cut()
	c.say("last line")
	_ = c.Close()
	time.Sleep(100 * time.Millisecond)
	if server.heard("last line") {
		t.Error("the server hears through a cut line")
	}
	p.Heal()
	Eventually(t, 10*time.Second, "the server hears the last line", func() bool { return server.heard("last line") })
}

// TestProxyRefuses has connections refused, counts them, and lets new ones work afterwards.
func TestProxyRefuses(t *testing.T) {
	_, p, _ := talking(t)
	address := p.listener.Addr().String()
	p.Refuse(t)
	for range 3 {
		if conn, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			_ = conn.Close()
			t.Fatalf("dialling gives %v, want it refused", err)
		}
	}
	Eventually(t, 10*time.Second, "the refused connections are counted", func() bool { return p.Refused() == 3 })
	p.Listen(t)
	c := dial(t, p)
	c.say("two")
	c.hear("two")
	if got := p.Refused(); got != 3 {
		t.Errorf("%d connections were refused, want 3", got)
	}
}

// TestProxyResets breaks a standing connection, and lets a new one work.
func TestProxyResets(t *testing.T) {
	_, p, c := talking(t)
	p.Reset()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.answers.ReadString('\n'); err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
		t.Errorf("a reset connection gives %v, want a reset", err)
	}
	again := dial(t, p)
	again.say("two")
	again.hear("two")
}

// TestProxyHalfOpens leaves a standing connection open and dumb, healed or not, and lets a new one work.
func TestProxyHalfOpens(t *testing.T) {
	_, p, c := talking(t)
	p.HalfOpen()
	p.Heal()
	c.say("two")
	c.hearNothing(300 * time.Millisecond)
	again := dial(t, p)
	again.say("three")
	again.hear("three")
}

// echo is a server that says back what it hears, by lines, and remembers it.
type echo struct {
	port string

	mu   sync.Mutex
	said map[string]bool
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{said: map[string]bool{}}
	_, e.port, _ = net.SplitHostPort(l.Addr().String())
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() { e.answer(c) })
		}
	})
	t.Cleanup(func() { // after the proxy's end, which closes every connection
		_ = l.Close()
		talks.Wait()
	})
	return e
}

func (e *echo) behind(t *testing.T) *Proxy {
	t.Helper()
	return (&Cluster{apiPort: e.port}).Proxy(t)
}

func (e *echo) answer(c net.Conn) {
	defer func() { _ = c.Close() }()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		e.mu.Lock()
		e.said[lines.Text()] = true
		e.mu.Unlock()
		if _, err := io.WriteString(c, lines.Text()+"\n"); err != nil {
			return
		}
	}
}

func (e *echo) heard(line string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said[line]
}

// caller is the client's end of a connection.
type caller struct {
	net.Conn
	t       *testing.T
	answers *bufio.Reader
}

func dial(t *testing.T, p *Proxy) caller {
	t.Helper()
	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return caller{c, t, bufio.NewReader(c)}
}

// talking returns a line that carries both ways.
func talking(t *testing.T) (*echo, *Proxy, caller) {
	t.Helper()
	server := newEcho(t)
	p := server.behind(t)
	c := dial(t, p)
	c.say("one")
	c.hear("one")
	return server, p, c
}

func (c caller) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c caller) hear(want string) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := c.answers.ReadString('\n'); err != nil || got != want+"\n" {
		c.t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

func (c caller) hearNothing(span time.Duration) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(span))
	if got, err := c.answers.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("heard %q, %v, want an open line and silence", got, err)
	}
}
