package naming

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// LeaseName is the name of an election's Lease object: a DNS-1123 subdomain.
type LeaseName string

const (
	hashDigits = 10
	prefixMax  = labelMax - 1 - hashDigits
)

// Keys that the election writes on the Lease.
const (
	// LabelElection marks the Leases that belong to lease-sidecar; its value is "true".
	LabelElection = "lease-sidecar.dev/election"
	// AnnotationWorkload names the workload whose election the Lease carries, such as "deployment/web".
	AnnotationWorkload = "lease-sidecar.dev/workload"
	// AnnotationFencedBy carries the holder's mark; see package lease.
	AnnotationFencedBy = "lease-sidecar.dev/fenced-by"
)

// NewLeaseName returns "<prefix>-<hash>": the first 10 hexadecimal digits of SHA-256 over the workload's text, which a chart's
// template can compute too. Its error has a [*field.Error] of each fault: see [field.Faults].
func NewLeaseName(prefix string, w Workload) (LeaseName, error) {
	var faults field.Faults
	faults.Add(ValidatePrefix(prefix))
	faults.Add(w.validate())
	if err := faults.Err(); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(w.String()))
	return LeaseName(prefix + "-" + hex.EncodeToString(sum[:])[:hashDigits]), nil
}

// ParseLeaseName takes a name given by hand: a DNS-1123 subdomain of at most 253 characters. Its error is a [*field.Error].
func ParseLeaseName(s string) (LeaseName, error) {
	if err := fault("LeaseName", s, wantSubdomain(s)); err != nil {
		return "", err
	}
	return LeaseName(s), nil
}

const (
	// fileNameMax is the longest name used in a file's name as it is, in bytes. Linux takes 255 for the whole file name.
	fileNameMax = 200
	// fileNameKept is how many bytes of a longer name stay, for people to read.
	fileNameKept = 150
)

// FileName returns what stands for name (a Lease's, or several joined by ".") in the name of a file: name itself up to 200
// bytes, else its first 150 bytes, "_" and 32 hexadecimal digits of its SHA-256. Different names never share one, as no name
// of Kubernetes has a "_".
func FileName(name string) string {
	if len(name) <= fileNameMax {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:fileNameKept] + "_" + hex.EncodeToString(sum[:16])
}
