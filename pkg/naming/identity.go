package naming

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Identity is what a candidate writes into the Lease as its holder: "<name>_<UUID>". No two live processes may
// share one (invariant I12 of the protocol), so the UUID is the pod's own or fresh at each start.
type Identity string

// NewIdentity returns a pod's identity from its name, a DNS-1123 subdomain, and its UID, a UUID with or without hyphens (a
// static pod's has none). Its error has a [*field.Error] of each fault, of Name and PodUID: see [field.Faults].
func NewIdentity(name, podUID string) (Identity, error) {
	var faults field.Faults
	faults.Add(fault("Name", name, wantSubdomain(name)))
	if !isUUID(podUID) {
		faults.Add(fault("PodUID", podUID, "a UUID, such as the pod's metadata.uid"))
	}
	if err := faults.Err(); err != nil {
		return "", err
	}
	return join(name, podUID), nil
}

// RandomIdentity returns an identity with a fresh random UUID, for a process that cannot prove that it alone has the pod's.
// Its error is a [*field.Error] of Name.
func RandomIdentity(name string) (Identity, error) {
	if err := fault("Name", name, wantSubdomain(name)); err != nil {
		return "", err
	}
	var random [16]byte
	rand.Read(random[:]) // never fails: it ends the process where the system has no randomness
	return join(name, UUID(random)), nil
}

// Name returns the pod's name, which stands before the last "_" and a UUID; the whole of an identity that has another form.
func (id Identity) Name() string {
	if i := strings.LastIndexByte(string(id), '_'); i >= 0 && isUUID(string(id[i+1:])) {
		return string(id[:i])
	}
	return string(id)
}

func join(name, uuid string) Identity { return Identity(name + "_" + uuid) }

// UUID returns random bytes as a version 4 UUID (RFC 9562).
func UUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// isUUID reports whether s is a UUID in its usual form or as 32 bare hexadecimal digits.
func isUUID(s string) bool {
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
