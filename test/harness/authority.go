//go:build linux

package harness

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
)

// RotateAuthority has the API server present a certificate of a new authority, as one does whose files are changed
// under it. Standing connections go on. The function that it returns adds the new authority to the file that
// kubeconfigs name; until then only the administrator trusts the API server. For clusters of a test's own.
func (c *Cluster) RotateAuthority(t testing.TB) (trust func()) {
	t.Helper()
	next, err := NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	both := slices.Concat(readFile(t, next.CAFile()), readFile(t, c.pki.CAFile()))
	c.config.CAFile, c.config.CAData = "", both
	if c.Admin, err = kubernetes.NewForConfig(c.config); err != nil {
		t.Fatalf("make the administrator's client anew: %v", err)
	}
	replaceFile(t, c.pki.KeyFile("apiserver"), readFile(t, next.KeyFile("apiserver")))
	replaceFile(t, c.pki.CertFile("apiserver"), readFile(t, next.CertFile("apiserver")))
	c.awaitCertificate(t, next)
	return func() {
		t.Helper()
		replaceFile(t, c.pki.CAFile(), both)
	}
}

// awaitCertificate waits until the API server presents a certificate that the authority has issued.
func (c *Cluster) awaitCertificate(t testing.TB, p *PKI) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.cert)
	Eventually(t, readyBound, "the API server presents its new certificate", func() bool {
		dialer := &net.Dialer{Timeout: 5 * time.Second}
		conn, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort("127.0.0.1", c.apiPort), &tls.Config{RootCAs: roots})
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read %s: %v", filepath.Base(path), err)
	}
	return b
}

// replaceFile writes a file by rename, as the kubelet does.
func replaceFile(t testing.TB, path string, b []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", b, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatalf("replace %s: %v", filepath.Base(path), err)
	}
}
