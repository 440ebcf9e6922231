package trouble

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestSameFailure makes failures twice, with what differs between two attempts in their text.
func TestSameFailure(t *testing.T) {
	t.Run("a connection that is reset", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // the close that follows resets it
			_ = conn.Close()
		}))
		defer server.Close()
		same(t, func() error {
			return get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, server.URL)
		})
	})
	t.Run("a certificate that has expired", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of each refused handshake
		server.StartTLS()
		defer server.Close()
		now := server.Certificate().NotAfter
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		same(t, func() error {
			now = now.Add(time.Minute)
			return get(&http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: func() time.Time { return now }},
			}}, server.URL)
		})
	})
}

func get(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err == nil {
		_ = answer.Body.Close()
	}
	return err
}

// same checks that only the first of the failures is news, and so is their end.
func same(t *testing.T, fail func() error) {
	t.Helper()
	var last Last
	first, second := fail(), fail()
	if first == nil || second == nil || first.Error() == second.Error() {
		t.Fatalf("got %v, and %v; want two texts that differ", first, second)
	}
	if !last.Changed(first) || last.Changed(second) {
		t.Errorf("the second failure counts as another one, or the first is none:\n%v\n%v", first, second)
	}
	if !last.Changed(errors.New("another")) || !last.Changed(nil) || last.Changed(nil) {
		t.Error("another failure does not count, or the end")
	}
}
