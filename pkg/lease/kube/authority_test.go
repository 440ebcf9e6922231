package kube_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// TestCertificateAuthorityRotates gives the server a certificate of a new authority, and the client's CA file
// that authority: one attempt fails, the next must trust.
func TestCertificateAuthorityRotates(t *testing.T) {
	for _, verb := range []string{"get", "create", "update", "watch"} {
		t.Run(verb, func(t *testing.T) {
			server, present := rotating(t)
			file := filepath.Join(t.TempDir(), "ca.crt")
			write(t, file, present(authority(t, "first")))
			var logged bytes.Buffer
			store := openLogged(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}, &logged)
			if err := call(t, bounded(t), store, verb); err != nil {
				t.Fatalf("with the first authority: %v", err)
			}

			second := present(authority(t, "second"))
			for range 2 { // the server has rotated, the file has not: no attempt may succeed
				err := call(t, bounded(t), store, verb)
				if untrusted := new(tls.CertificateVerificationError); !errors.As(err, &untrusted) {
					t.Fatalf("before the file has changed: error %v, want the refused certificate", err)
				}
			}
			write(t, file, second)
			if err := call(t, bounded(t), store, verb); err == nil {
				t.Log("the new authority was read at once") // allowed: client-go may look first
			}
			if err := call(t, bounded(t), store, verb); err != nil {
				t.Errorf("after the file has changed: %v", err)
			}
			if got := strings.Count(logged.String(), "certificate authority rotated"); got != 1 {
				t.Errorf("said %d times that the authority rotated, want once:\n%s", got, logged.String())
			}
		})
	}
}

func TestUnusableAuthorityKeepsTheOldOne(t *testing.T) {
	server, present := rotating(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	first := authority(t, "first")
	write(t, file, present(first))
	var logged bytes.Buffer
	store := openLogged(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}, &logged)
	present(authority(t, "second"))
	write(t, file, []byte("half a certif"))
	for range 2 {
		if err := call(t, bounded(t), store, "get"); err == nil {
			t.Error("trusts a server by a file of garbage")
		}
	}
	if !strings.Contains(logged.String(), file) {
		t.Errorf("the log does not name the file:\n%s", logged.String())
	}
	present(first)
	if err := call(t, bounded(t), store, "get"); err != nil {
		t.Errorf("the old authority was lost: %v", err)
	}
}

func TestAbsentAuthorityFile(t *testing.T) {
	_, err := kube.NewClient(&rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere/ca.crt"}},
		slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca.crt") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

func openLogged(t *testing.T, config *rest.Config, log *bytes.Buffer) *kube.Store {
	t.Helper()
	return client(t, config, slog.NewTextHandler(log, nil)).Lease(namespace, name)
}

// rotating starts a server, and returns a function that makes it present another certificate on new
// connections and returns that certificate's PEM.
func rotating(t *testing.T) (*httptest.Server, func(tls.Certificate) []byte) {
	t.Helper()
	var presented atomic.Pointer[tls.Certificate]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // the next request shakes hands again
		if !r.URL.Query().Has("watch") {
			writeJSON(w, http.StatusOK, sample())
		}
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are the point
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*presented.Load()}}, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, func(c tls.Certificate) []byte {
		presented.Store(&c)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	}
}

// authority makes a certificate for 127.0.0.1 that vouches for itself.
func authority(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("certificate: %v", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certificate(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}
