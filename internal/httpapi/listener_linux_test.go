package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// listen binds an address with timeouts that a test can wait for.
func listen(t *testing.T, address string) *Listener {
	t.Helper()
	l, err := Listen(address, nil, quiet, MaxWorkloadConnections)
	if err != nil {
		t.Fatal(err)
	}
	l.server.ReadHeaderTimeout, l.server.ReadTimeout, l.server.WriteTimeout = 100*time.Millisecond, 150*time.Millisecond, 150*time.Millisecond
	return l
}

// serve answers until the test ends, or until end is called, which returns once the serving has ended.
func serve(t testing.TB, l *Listener, h http.Handler) (end func()) {
	t.Helper()
	l.server.Handler = h
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	end = func() { cancel(); <-ended }
	t.Cleanup(end)
	return end
}

// client returns a client that reaches the address, whatever the URL's host, and keeps no connection.
func client(t *testing.T, address string) *http.Client {
	t.Helper()
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func status(t *testing.T, c *http.Client, method, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// sending returns a connection over which the text has been sent.
func sending(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestOrdersByAddress(t *testing.T) {
	for _, c := range []struct {
		address string
		want    int
	}{
		{"127.0.0.1:0", 202},
		{"localhost:0", 202},
		{"127.0.0.2:0", 202},
		{"unix:" + filepath.Join(t.TempDir(), "socket"), 202},
		{":0", 403},
		{"0.0.0.0:0", 403},
	} {
		t.Run(c.address, func(t *testing.T) {
			f := newFixture(true)
			f.election.now = leadershiptest.Leading(f.clock, "5")
			l := listen(t, c.address)
			serve(t, l, f.handler)
			for _, address := range l.Addrs() {
				if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).IsUnspecified() {
					address = "127.0.0.1:" + port // a local client, but a listener for everybody
				}
				if got := status(t, client(t, address), "POST", "/step-down"); got != c.want {
					t.Errorf("POST /step-down at %s: %d, want %d", address, got, c.want)
				}
				if got := status(t, client(t, address), "GET", "/leader"); got != 200 {
					t.Errorf("GET /leader at %s: %d, want 200", address, got)
				}
			}
		})
	}
}

func TestLoopbackComesInBothFamilies(t *testing.T) {
	want := 1
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		want = 2
		six.Close()
	}
	l := listen(t, "127.0.0.1:0")
	defer l.Close()
	addrs := l.Addrs()
	if len(addrs) != want {
		t.Fatalf("bound %v, want %d addresses", addrs, want)
	}
	_, port, _ := net.SplitHostPort(addrs[0])
	if want == 2 && addrs[1] != "[::1]:"+port {
		t.Errorf("bound %v, want ::1 on the same port", addrs)
	}
}

// TestStrangerOnTheOtherFamily: what listens on ::1 alone would answer half of the pod's programs.
func TestStrangerOnTheOtherFamily(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Logf("no IPv6 here, so no stranger either: %v", err)
		return
	}
	defer six.Close()
	_, port, _ := net.SplitHostPort(six.Addr().String())
	if l, err := Listen("127.0.0.1:"+port, nil, quiet, MaxWorkloadConnections); err == nil {
		l.Close()
		t.Fatal("bound 127.0.0.1 beside a stranger on ::1")
	}
	four, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatalf("127.0.0.1 was left bound: %v", err)
	}
	four.Close()
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close() // as a killed process leaves it

	l := listen(t, "unix:"+path)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != os.ModeSocket|0o660 {
		t.Errorf("the socket's mode is %s, want %s", got, os.ModeSocket|0o660)
	}
	if _, err := Listen("unix:"+path, nil, quiet, MaxWorkloadConnections); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Errorf("Listen beside a live one: %v, want it refused", err)
	}
	f := newFixture(true)
	end := serve(t, l, f.handler)
	if got := status(t, client(t, "unix:"+path), "GET", "/leader"); got != 503 {
		t.Errorf("GET /leader: %d, want 503", got)
	}
	end()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there at the end: %v", err)
	}
}

func TestUnixSocketReplacesNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		if _, err := Listen("unix:"+p, nil, quiet, MaxWorkloadConnections); err == nil || !strings.Contains(err.Error(), "is not a socket") {
			t.Errorf("Listen on %s: %v, want it refused", p, err)
		}
	}
	if content, err := os.ReadFile(link); err != nil || string(content) != "precious" {
		t.Errorf("the file holds %q, %v", content, err)
	}
}

// TestSlowClientsAreCutOff: each of these would hold a connection for ever.
func TestSlowClientsAreCutOff(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	l.server.IdleTimeout = 200 * time.Millisecond
	f := newFixture(true)
	serve(t, l, f.handler)
	for name, sent := range map[string]string{
		"says nothing":        "",
		"half a request line": "GET /lea",
		"half the headers":    "GET /leader HTTP/1.1\r\nHost: localhost\r\nX-A",
		"half the body":       "POST /drained HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n123",
		"idle afterwards":     "GET /leader HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := sending(t, l.Addrs()[0], sent)
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the connection was not closed: %v", err)
			}
		})
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	serve(t, l, newFixture(true).handler)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/leader", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("x", maxHeader+8<<10))
	answer, err := client(t, l.Addrs()[0]).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", answer.StatusCode)
	}
}

// TestServeEndsThoughARequestStalls: the end of the process must not hang on a client.
func TestServeEndsThoughARequestStalls(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	l.shutdown = 50 * time.Millisecond
	l.server.ReadTimeout = time.Hour
	entered, left := make(chan struct{}), make(chan struct{})
	end := serve(t, l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(left)
		close(entered)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	sending(t, l.Addrs()[0], "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1")
	<-entered
	go end()
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Fatal("a request that stalls was not cut off")
	}
}

// The hint about an address that cannot be bound matches the fault, and no other hint is given.
func TestBindHints(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ address, want, never string }{
		"a port that is taken":     {taken.Addr().String(), "with hostNetwork the pods of a node share their ports: use unix:PATH", "interface"},
		"an address of nobody":     {"192.0.2.1:0", "no interface here has that address", "hostNetwork"},
		"a directory not there":    {"unix:" + dir + "/none/s", "make the directory first", "hostNetwork"},
		"a file for a directory":   {"unix:" + file + "/s", "not a directory", "hostNetwork"},
		"a socket that is no file": {"unix:@x", "abstract socket", "hostNetwork"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Listen(tc.address, nil, quiet, MaxWorkloadConnections)
			if err == nil {
				l.Close()
				t.Fatal("it was bound")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), tc.never) || !strings.Contains(err.Error(), tc.address) {
				t.Errorf("got %q; want it to say %q and the address, and not %q", err, tc.want, tc.never)
			}
		})
	}
	if hint := bindHint(address.Address{Port: "80"}, syscall.EACCES); !strings.Contains(hint, "below 1024") {
		t.Errorf("a privileged port: %q", hint)
	}
	if hint := bindHint(address.Address{Port: "8080"}, syscall.EACCES); hint != "" {
		t.Errorf("a port that needs no privilege: %q", hint)
	}
}
