//go:build linux

package harness

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// PKI is the cluster's certificate authority, with its files below one directory.
type PKI struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// CAFile is the path of the authority's certificate.
func (p *PKI) CAFile() string { return filepath.Join(p.dir, "ca.crt") }

// CertFile is the path of a certificate that the authority has issued.
func (p *PKI) CertFile(name string) string { return filepath.Join(p.dir, name+".crt") }

// KeyFile is the path of the key to a certificate.
func (p *PKI) KeyFile(name string) string { return filepath.Join(p.dir, name+".key") }

// NewPKI makes an authority, the API server's and an administrator's certificates, and the service-account keys. The API
// server's certificate is for its Service's address and those that are given, besides 127.0.0.1.
func NewPKI(dir string, addresses ...net.IP) (*PKI, error) {
	p := &PKI{dir: dir}
	self := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "lease-sidecar test authority"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if err := p.Issue("ca", self); err != nil {
		return nil, err
	}
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		IPAddresses: append(addresses, net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)),
		DNSNames:    []string{"localhost", "kubernetes.default.svc"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := p.Issue("apiserver", server); err != nil {
		return nil, err
	}
	admin := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if err := p.Issue("admin", admin); err != nil {
		return nil, err
	}
	_, err := p.newKey("service-accounts")
	return p, err
}

// Issue writes a certificate and its key, signed by the authority; the first one issued is the authority.
func (p *PKI) Issue(name string, template *x509.Certificate) error {
	key, err := p.newKey(name)
	if err != nil {
		return err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return fmt.Errorf("draw a serial number: %w", err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := p.cert, p.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("issue the certificate %q: %w", name, err)
	}
	if p.cert == nil {
		if p.cert, err = x509.ParseCertificate(der); err != nil {
			return fmt.Errorf("read back the authority: %w", err)
		}
		p.key = key
	}
	return writePEM(p.CertFile(name), "CERTIFICATE", der)
}

func (p *PKI) newKey(name string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key %q: %w", name, err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key %q: %w", name, err)
	}
	return key, writePEM(p.KeyFile(name), "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
