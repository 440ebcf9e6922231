package lease

import (
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// releasedPrefix begins the mark of a release. A mark is the annotation by which our candidates know each other's writes: it
// says who holds the Lease and for how long, or that the holder released it, whatever becomes of the spec's own fields.
const releasedPrefix = "released@"

// HeldMark returns the annotation's text for a Lease held by identity for duration: "<identity> <seconds>".
func HeldMark(identity string, duration time.Duration) string {
	return identity + " " + strconv.Itoa(int(duration/time.Second))
}

// ReleasedMark returns the annotation's text for a Lease released by a write with that renew time.
func ReleasedMark(renewTime time.Time) string {
	return releasedPrefix + renewTime.UTC().Format(metav1.RFC3339Micro)
}

// SuccessorMark returns the annotation's text by which the holder names the candidate that should take the Lease first, in the
// release with that renew time: "<identity>@<renew time>". An older text names nobody, as it has another time.
func SuccessorMark(identity string, renewTime time.Time) string {
	return identity + "@" + renewTime.UTC().Format(metav1.RFC3339Micro)
}

// NamedSuccessor returns the identity that the holder named in its release; "" where nobody is named, or nobody released r.
func (r Record) NamedSuccessor() string {
	i := strings.LastIndexByte(r.Successor, '@')
	if i < 0 || !r.Released() || r.Successor != SuccessorMark(r.Successor[:i], r.RenewTime) {
		return ""
	}
	return r.Successor[:i]
}

// parseMark reads a holder's mark. It answers false for none, for a release, and for a text edited out of shape.
func parseMark(s string) (identity string, duration time.Duration, ok bool) {
	identity, seconds, _ := strings.Cut(s, " ")
	n, err := strconv.ParseInt(seconds, 10, 32)
	if err != nil || n < 1 || identity == "" {
		return "", 0, false
	}
	return identity, time.Duration(n) * time.Second, true
}

// Marked returns the identity and the duration in a holder's mark. It answers false for none, for a release, and for a text
// edited out of shape.
func (r Record) Marked() (identity string, duration time.Duration, ok bool) { return parseMark(r.Mark) }

// Foreign reports whether the holder did not write the record by our protocol (client-go's elector, or a hand). Such a holder
// may lead on for a while after its Lease has lapsed, so it is waited for longer.
func (r Record) Foreign() bool {
	if r.Holder == "" {
		return false
	}
	identity, _, ok := parseMark(r.Mark)
	return !ok || identity != r.Holder
}

// Validity returns how long the record's writer may still believe in it: the marked duration, which survives edits of the
// spec, or, without a mark or for a foreign holder, the spec's own (0 when unset).
func (r Record) Validity() time.Duration {
	if _, duration, ok := parseMark(r.Mark); ok && !r.Foreign() {
		return duration
	}
	return time.Duration(max(r.DurationSeconds, 0)) * time.Second
}
