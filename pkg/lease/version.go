package lease

import (
	"cmp"
	"fmt"
	"strings"
)

// Version is an object's resourceVersion: a decimal number of any length, without leading zeros, that rises with
// every write of the store, deletions and re-creations included. "" stands for none and comes before all others.
// Kubernetes lets clients compare them since v1.35 (KEP-5504).
type Version string

// ParseVersion reads a resourceVersion. It refuses what cannot be ordered: an empty string, letters, leading zeros.
func ParseVersion(s string) (Version, error) {
	if s == "" || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return "", fmt.Errorf("resourceVersion %q is not a decimal number: this store's versions cannot be ordered", s)
	}
	return Version(s), nil
}

// Compare returns -1 where v is older than w, 0 where they are equal, +1 where v is newer.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(len(v), len(w)); c != 0 {
		return c
	}
	return cmp.Compare(v, w)
}
