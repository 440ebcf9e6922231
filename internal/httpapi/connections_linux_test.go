package httpapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// guest is a connection of a client that keeps it.
type guest struct {
	t    *testing.T
	conn net.Conn // nil where it was closed before the client saw it open
	read *bufio.Reader
}

func newGuest(t *testing.T, address string) *guest {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if errors.Is(err, syscall.ECONNRESET) {
		return &guest{t: t}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &guest{t: t, conn: conn, read: bufio.NewReader(conn)}
}

// ask sends a request, and returns the status; 0 where the connection was closed.
func (g *guest) ask(path string) int {
	g.t.Helper()
	if g.conn == nil {
		return 0
	}
	if _, err := fmt.Fprintf(g.conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		return 0
	}
	return g.answer()
}

func (g *guest) answer() int {
	g.t.Helper()
	r, err := http.ReadResponse(g.read, nil)
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return 0
	}
	return r.StatusCode
}

// crowded serves a listener with room for three connections. A request for /wait is answered once there is a value in leave.
func crowded(t *testing.T) (l *Listener, entered, leave chan struct{}) {
	t.Helper()
	l = listen(t, "127.0.0.1:0")
	l.server.ReadHeaderTimeout, l.server.WriteTimeout, l.conns.most = time.Minute, time.Minute, 3
	entered, leave = make(chan struct{}), make(chan struct{}, 3)
	serve(t, l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			entered <- struct{}{}
			<-leave
		}
	}))
	return l, entered, leave
}

// TestOneMoreConnectionTakesThePlaceOfTheLongestIdle: a crowd pushes out itself, and whoever asks at once is answered.
func TestOneMoreConnectionTakesThePlaceOfTheLongestIdle(t *testing.T) {
	l, _, _ := crowded(t)
	address := l.Addrs()[0]
	first, second := newGuest(t, address), newGuest(t, address)
	for i, g := range []*guest{first, second, first} { // so that the second has been idle for longer
		if got := g.ask("/"); got != 200 {
			t.Fatalf("request %d: %d, want 200", i, got)
		}
	}
	half := newGuest(t, address)
	if _, err := io.WriteString(half.conn, "GET / HTTP/1.1\r\nHost: loc"); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if got := newGuest(t, address).ask("/"); got != 200 { // it stays open
			t.Fatalf("probe %d: %d, want 200", i, got)
		}
		if i == 0 && second.ask("/") != 0 {
			t.Error("the connection that was idle for the longest time still has its place")
		}
		if i == 0 && first.ask("/") != 200 {
			t.Error("a connection lost its place to another that has not been used for longer")
		}
	}
	if first.ask("/") != 0 || half.answer() != 0 {
		t.Error("a connection without a request, or with half of one, kept its place although 50 came after it")
	}
	l.conns.mu.Lock()
	defer l.conns.mu.Unlock()
	if open := len(l.conns.open); open > 3 {
		t.Errorf("%d connections are open, want 3 at most", open)
	}
}

// TestAConnectionKeepsItsPlaceWhileItIsServed: with nothing but those the new one is closed.
func TestAConnectionKeepsItsPlaceWhileItIsServed(t *testing.T) {
	l, entered, leave := crowded(t)
	address := l.Addrs()[0]
	answers := make(chan int)
	for range 3 {
		g := newGuest(t, address)
		go func() { answers <- g.ask("/wait") }()
		<-entered
	}
	if got := newGuest(t, address).ask("/"); got != 0 {
		t.Errorf("a fourth connection was answered with %d, want it closed", got)
	}
	for range 3 {
		leave <- struct{}{}
	}
	for range 3 {
		if got := <-answers; got != 200 {
			t.Errorf("a request in progress was answered with %d, want 200", got)
		}
	}
	if got := newGuest(t, address).ask("/"); got != 200 {
		t.Errorf("once the requests were answered, a new connection got %d, want 200", got)
	}
}

// remote is a connection of a client with that address.
type remote struct {
	net.Conn

	address string
}

func (r remote) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(r.address), Port: 1} }

// TestAFloodClosesItsOwn: one connection more takes the place of one of the address that has most without a request, though another
// address's has waited for longer: a flood does not push the kubelet out.
func TestAFloodClosesItsOwn(t *testing.T) {
	c := newConnections(3, slog.New(slog.DiscardHandler))
	kubelet, first, second, third := &remote{address: "10.0.0.1"}, &remote{address: "10.0.0.2"}, &remote{address: "10.0.0.2"}, &remote{address: "10.0.0.2"}
	for _, conn := range []*remote{kubelet, first, second} {
		if victim := c.add(conn); victim != nil {
			t.Fatalf("%v was closed, though there is room", victim.RemoteAddr())
		}
	}
	if victim := c.add(third); victim != net.Conn(first) {
		t.Errorf("the wrong connection was closed, want the oldest of 10.0.0.2; of the kubelet: %v", victim == net.Conn(kubelet))
	}
}
