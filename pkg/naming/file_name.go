package naming

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	// fileNameMax is the longest name that stands in a file's name as it is, in bytes. Linux takes 255 bytes for the whole
	// of it, with what comes before and after.
	fileNameMax = 200
	// fileNameKept is how much of a longer name stays, for people.
	fileNameKept = 150
)

// FileName returns what stands for name in the name of a file: name itself up to 200 bytes, else its first 150 bytes, "_"
// and 32 hexadecimal digits of its SHA-256. Different names never share one: no name of Kubernetes has a "_". Name is a
// Lease's, or others that are joined by ".".
func FileName(name string) string {
	if len(name) <= fileNameMax {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:fileNameKept] + "_" + hex.EncodeToString(sum[:16])
}
