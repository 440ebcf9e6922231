package naming

import (
	"errors"
	"strings"
)

// How Kubernetes names the pods of a controller (metadata.generateName): the base, cut to 58 characters, then 5
// letters of an alphabet without vowels, which the hashes in labels are written in too.
const (
	suffixLetters    = "bcdfghjklmnpqrstvwxz2456789"
	suffixLength     = 5
	generatedBaseMax = labelMax - suffixLength
)

var (
	errNoSuffix  = errors.New("the name does not end in a random suffix of five")
	errTruncated = errors.New("the pod's name has 63 characters and may have been cut short")
)

// cutSuffix splits a generated name into its base and the random suffix, which it drops.
func cutSuffix(podName string) (base string, ok bool) {
	at := len(podName) - suffixLength
	if at <= 0 || strings.Trim(podName[at:], suffixLetters) != "" {
		return "", false
	}
	return podName[:at], true
}

// cutBase shortens a base as Kubernetes does.
func cutBase(base string) string { return base[:min(len(base), generatedBaseMax)] }
