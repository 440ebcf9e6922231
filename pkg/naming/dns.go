package naming

import (
	"fmt"
	"strings"
)

// Lengths that Kubernetes sets for names (RFC 1123).
const (
	labelMax     = 63
	subdomainMax = 253
)

// ValidateNamespace checks that s can name a namespace: a DNS-1123 label of at most 63 characters.
func ValidateNamespace(s string) error { return label("namespace", s, labelMax) }

// ValidatePrefix checks that s can start a Lease name: a DNS-1123 label, short enough (52 characters) that the
// whole name fits a label too.
func ValidatePrefix(s string) error { return label("prefix", s, prefixMax) }

// label checks that s is a DNS-1123 label of at most limit characters; what is its role in the message.
func label(what, s string, limit int) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > limit:
		return fmt.Errorf("%s %q has %d characters: at most %d", what, clip(s), len(s), limit)
	case !isLabel(s):
		return fmt.Errorf("%s %q: want lower-case letters, digits and '-', a letter or digit first and last", what, s)
	}
	return nil
}

// subdomain checks that s is a DNS-1123 subdomain: labels joined by dots, at most 253 characters.
func subdomain(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > subdomainMax:
		return fmt.Errorf("%s %q has %d characters: at most %d", what, clip(s), len(s), subdomainMax)
	}
	for part := range strings.SplitSeq(s, ".") {
		if !isLabel(part) {
			return fmt.Errorf("%s %q: want lower-case letters, digits, '-' and '.', a letter or digit first and last", what, s)
		}
	}
	return nil
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
