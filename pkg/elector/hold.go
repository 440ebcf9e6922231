package elector

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// HoldState is what a candidate writes down for the process that comes after it in the same pod: the term it has,
// and until when the workload may believe in it.
type HoldState struct {
	// UID is the Lease's, AcquireTime the term's first write: together they name the term.
	UID         string    `json:"uid"`
	AcquireTime time.Time `json:"acquireTime"`
	// ValidUntil is the end of the last term written here, on the boot clock.
	ValidUntil bootclock.Instant `json:"validUntil"`
	// Leading says that the term was neither stopped nor being handed over.
	Leading bool `json:"leading"`
	// Token, Transitions and Since are the term's, for the document that stands until the successor has read the
	// Lease. Since is wall-clock time.
	Token       string    `json:"token"`
	Transitions int64     `json:"transitions"`
	Since       time.Time `json:"since"`
}

// inheritance is a predecessor's term that may be resumed.
type inheritance struct {
	HoldState
	version lease.Version // of the first record seen: another one decides against resuming
}

// maxHold bounds the hold file, which lies on a volume that others may write.
const maxHold = 4096

var errTorn = errors.New("the hold file is torn or not ours")

// holdRecord is the file's content: the state under the boot that it was written in.
type holdRecord struct {
	BootID string `json:"bootID"`
	HoldState
}

// encodeHold renders a hold as one line: a checksum, a space, JSON.
func encodeHold(bootID string, h HoldState) ([]byte, error) {
	doc, err := json.Marshal(holdRecord{BootID: bootID, HoldState: h})
	if err != nil {
		return nil, fmt.Errorf("encode the hold: %w", err)
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(doc), doc), nil
}

// decodeHold reads what encodeHold wrote. It fails on anything torn, too long, without a whole term, or of another boot,
// whose clock means nothing in this one.
func decodeHold(b []byte, bootID string) (HoldState, error) {
	line, rest, whole := strings.Cut(string(b), "\n")
	sum, doc, ok := strings.Cut(line, " ")
	if !whole || rest != "" || !ok || sum != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(doc))) {
		return HoldState{}, errTorn
	}
	var r holdRecord
	if err := json.Unmarshal([]byte(doc), &r); err != nil {
		return HoldState{}, fmt.Errorf("%w: %w", errTorn, err)
	}
	if bootID == "" || r.BootID != bootID {
		return HoldState{}, fmt.Errorf("%w: it is from another boot", errTorn)
	}
	if !r.whole() {
		return HoldState{}, fmt.Errorf("%w: it tells of a term without all that makes one", errTorn)
	}
	return r.HoldState, nil
}

// whole reports whether a term that may be resumed has all that a document of it needs: what the hold says is told to
// the workload until the Lease has been read.
func (h HoldState) whole() bool {
	_, err := lease.ParseVersion(h.Token)
	return !h.Leading || err == nil && h.UID != "" && !h.AcquireTime.IsZero() && !h.Since.IsZero() &&
		h.Transitions >= 0 && h.ValidUntil > 0
}
