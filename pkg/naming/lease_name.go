package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// LeaseName is the name of the Lease object that an election turns on: a DNS-1123 subdomain.
type LeaseName string

const (
	hashDigits = 10
	prefixMax  = labelMax - 1 - hashDigits
)

// NewLeaseName returns "<prefix>-<hash>", where hash is the first 10 hexadecimal digits of SHA-256 over the
// workload's text, so that a chart's template can compute the same name. Its error joins the faults of both.
func NewLeaseName(prefix string, w Workload) (LeaseName, error) {
	if err := errors.Join(ValidatePrefix(prefix), w.validate()); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(w.String()))
	return LeaseName(prefix + "-" + hex.EncodeToString(sum[:])[:hashDigits]), nil
}

// ParseLeaseName takes a name given by hand. It must be a DNS-1123 subdomain of at most 253 characters.
func ParseLeaseName(s string) (LeaseName, error) {
	if err := subdomain("Lease name", s); err != nil {
		return "", err
	}
	return LeaseName(s), nil
}
