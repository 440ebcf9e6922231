package naming

import (
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Lengths that Kubernetes sets for names (RFC 1123).
const (
	labelMax     = 63
	subdomainMax = 253
)

// ValidateNamespace checks that s is a DNS-1123 label of at most 63 characters. Its error is a [*field.Error].
func ValidateNamespace(s string) error { return fault("Namespace", s, wantLabel(s, labelMax)) }

// ValidatePrefix checks that s can start a Lease name that is a DNS-1123 label: it is one of at most 52 characters itself. Its
// error is a [*field.Error].
func ValidatePrefix(s string) error { return fault("Prefix", s, wantLabel(s, prefixMax)) }

// fault returns a field error with what the value should be; nil where want is "".
func fault(name, value, want string) error {
	if want == "" {
		return nil
	}
	return field.Quoted(name, clip(value), "%s", want)
}

// wantLabel says what is wrong with s as a DNS-1123 label of at most limit characters; "" where nothing is.
func wantLabel(s string, limit int) string {
	switch {
	case len(s) > limit:
		return fmt.Sprintf("at most %d characters, not %d", limit, len(s))
	case !isLabel(s):
		return "lower-case letters, digits and '-', a letter or digit first and last"
	}
	return ""
}

// wantSubdomain is wantLabel for a DNS-1123 subdomain: labels joined by dots, at most 253 characters.
func wantSubdomain(s string) string {
	if len(s) > subdomainMax {
		return fmt.Sprintf("at most %d characters, not %d", subdomainMax, len(s))
	}
	for part := range strings.SplitSeq(s, ".") {
		if !isLabel(part) {
			return "lower-case letters, digits, '-' and '.', a letter or digit first and last"
		}
	}
	return ""
}

// isLabel reports whether s has the letters of a DNS-1123 label, of whatever length.
func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		inner := c == '-' && i > 0 && i < len(s)-1
		if !inner && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// clip keeps a long value from flooding a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
