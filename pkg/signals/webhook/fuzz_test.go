package webhook

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// parrot is a connection whose other end says the same bytes to any request, and hangs up.
type parrot struct {
	net.Conn // nil: nothing else is asked of it
	says     *bytes.Reader
	asked    chan struct{}
	once     sync.Once
}

func (p *parrot) Write(b []byte) (int, error) {
	p.once.Do(func() { close(p.asked) })
	return len(b), nil
}

func (p *parrot) Read(b []byte) (int, error) {
	<-p.asked
	return p.says.Read(b)
}

func (p *parrot) Close() error {
	p.once.Do(func() { close(p.asked) })
	return nil
}

func (p *parrot) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *parrot) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p *parrot) SetDeadline(time.Time) error      { return nil }
func (p *parrot) SetReadDeadline(time.Time) error  { return nil }
func (p *parrot) SetWriteDeadline(time.Time) error { return nil }

// FuzzWebhook reads the two options from text, and lets a receiver answer with bytes: only an answer of HTTP with one of
// the statuses counts as applied.
func FuzzWebhook(f *testing.F) {
	f.Add("http://127.0.0.1:8080/leadership", "2xx", []byte("HTTP/1.1 204 No Content\r\n\r\n"))
	f.Add("https://web.shop.svc/?a=b", "200, 404,5xx", []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"))
	f.Add("http://u:p@127.0.0.1/", "3xx", []byte("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"))
	f.Add("http://[fe80::1%25eth0]/#x", "184467440737095519xx", []byte("HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\nzz"))
	f.Add("http://[::ffff:169.254.169.254]/", "200,", []byte("hello"))
	f.Add("mailto:a@b", "", []byte(strings.Repeat("HTTP/1.1 103 \r\n\r\n", 9)))
	f.Fuzz(func(t *testing.T, address, statuses string, answer []byte) {
		checkURL(t, address)
		checkStatuses(t, statuses)
		s := newSignal(t, "http://127.0.0.1:1/", "2xx")
		s.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			return &parrot{says: bytes.NewReader(answer), asked: make(chan struct{})}, nil
		}
		err := s.Apply(t.Context(), leads("77", time.Minute))
		if status := final(answer); err == nil && (status < 200 || status > 299) {
			t.Fatalf("status %d counts as applied: %q", status, answer)
		}
		if err != nil && (s.known || len(err.Error()) > 2000) {
			t.Fatalf("known %v after %.3000v", s.known, err)
		}
	})
}

// final reads the status of the first answer that is more than a foretaste; 0 where there is none.
func final(answer []byte) int {
	r := bufio.NewReader(bytes.NewReader(answer))
	for {
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			return 0
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response.StatusCode
		}
	}
}

func checkURL(t *testing.T, text string) {
	t.Helper()
	u, err := ParseURL(text)
	if err != nil {
		return
	}
	parsed, err := url.Parse(u.String())
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Fragment != "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		t.Fatalf("%q is the URL %q (%v)", text, u, err)
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	if err == nil && (ip.Unmap().IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()) {
		t.Fatalf("%q goes to %s", text, ip)
	}
	if u.Loopback() && parsed.Hostname() != "localhost" && !ip.Unmap().IsLoopback() {
		t.Fatalf("%q is in the pod", text)
	}
}

func checkStatuses(t *testing.T, text string) {
	t.Helper()
	all, err := ParseStatuses(text)
	if err != nil {
		return
	}
	again, err := ParseStatuses(all.String())
	if err != nil {
		t.Fatalf("%q reads as %q, and that not at all: %v", text, all, err)
	}
	some := false
	for status := range 1000 {
		has := all.Include(status)
		some = some || has
		if has && (status < 200 || status > 599 || status/100 == 3) || has != again.Include(status) {
			t.Fatalf("%q, read as %q, includes %d", text, all, status)
		}
	}
	if !some {
		t.Fatalf("%q includes nothing", text)
	}
}
