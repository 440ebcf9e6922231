package kube_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// TestCertificateAuthorityRotates gives the server a certificate of a new authority, and the client's CA file
// that authority: one attempt fails, the next must trust.
func TestCertificateAuthorityRotates(t *testing.T) {
	for _, verb := range []string{"get", "create", "update", "watch"} {
		t.Run(verb, func(t *testing.T) {
			s := newRotating(t)
			second := s.present(authority(t))
			for range 2 { // the server has rotated, the file has not: no attempt may succeed
				_, err := call(t, s.store, verb)
				if untrusted := new(tls.CertificateVerificationError); !errors.As(err, &untrusted) {
					t.Fatalf("before the file has changed: error %v, want the refused certificate", err)
				}
			}
			write(t, s.file, second)
			if _, err := call(t, s.store, verb); err == nil {
				t.Log("the new authority was read at once") // allowed: client-go may look first
			}
			if _, err := call(t, s.store, verb); err != nil {
				t.Errorf("after the file has changed: %v", err)
			}
			if got := strings.Count(s.log.String(), "certificate authority rotated"); got != 1 {
				t.Errorf("said %d times that the authority rotated, want once:\n%s", got, s.log.String())
			}
		})
	}
}

func TestUnusableAuthorityKeepsTheOldOne(t *testing.T) {
	s := newRotating(t)
	first := s.presented.Load()
	trusted := s.present(first)
	for times := 1; times <= 2; times++ {
		s.present(authority(t))
		write(t, s.file, []byte("half a certif"))
		for range 2 {
			if _, err := call(t, s.store, "get"); err == nil {
				t.Error("trusts a server by a file of garbage")
			}
		}
		if got := strings.Count(s.log.String(), s.file); got != times {
			t.Errorf("the log names the file %d times, want %d, as it was unusable that often:\n%s", got, times, s.log.String())
		}
		write(t, s.file, trusted)
		if _, err := call(t, s.store, "get"); err == nil {
			t.Error("trusts a server of another authority")
		}
		s.present(first)
		if _, err := call(t, s.store, "get"); err != nil {
			t.Errorf("the old authority was lost: %v", err)
		}
	}
}

func TestAbsentAuthorityFile(t *testing.T) {
	_, err := kube.NewClient(&rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere/ca.crt"}},
		slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca.crt") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// rotating is a server that presents another certificate on its next connection, and a store that trusts the file's.
type rotating struct {
	store     *kube.Store
	file      string
	log       bytes.Buffer // of the store
	presented atomic.Pointer[tls.Certificate]
}

// newRotating has a store that has trusted the server once.
func newRotating(t *testing.T) *rotating {
	t.Helper()
	s := &rotating{file: filepath.Join(t.TempDir(), "ca.crt")}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // the next request shakes hands again
		if !r.URL.Query().Has("watch") {
			writeJSON(w, http.StatusOK, sample())
		}
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are the point
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*s.presented.Load()}}, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	write(t, s.file, s.present(authority(t)))
	config := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: s.file, ServerName: host}}
	s.store = client(t, config, slog.NewTextHandler(&s.log, nil)).Lease(namespace, name)
	if _, err := call(t, s.store, "get"); err != nil {
		t.Fatalf("with the first authority: %v", err)
	}
	return s
}

// present has new connections show the certificate, and returns its PEM.
func (s *rotating) present(c *tls.Certificate) []byte {
	s.presented.Store(c)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}

// host is the name that the certificates are for.
const host = "localhost"

// authority makes a certificate that vouches for itself.
func authority(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	c, err := cert.NewSelfSignedCACert(cert.Config{CommonName: host}, key)
	if err != nil {
		t.Fatalf("certificate: %v", err)
	}
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key}
}
