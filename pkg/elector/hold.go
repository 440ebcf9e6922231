package elector

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// HoldState is what a candidate leaves to the next process of its pod: its term, and how long the workload may believe in it.
type HoldState struct {
	// UID is the Lease's, AcquireTime the term's first write: together they name the term.
	UID         string    `json:"uid"`
	AcquireTime time.Time `json:"acquireTime"`
	// ValidUntil is the end of the last term written here, on the boot clock.
	ValidUntil bootclock.Instant `json:"validUntil"`
	// Leading says that the term was neither stopped nor being handed over.
	Leading bool `json:"leading"`
	// Token, Transitions and Since are the term's. Since is wall-clock time.
	Token       string    `json:"token"`
	Transitions int64     `json:"transitions"`
	Since       time.Time `json:"since"`
}

// HoldFile keeps a candidate's hold. [*Hold] implements it; a simulation may wrap one, to have its writes fail.
type HoldFile interface {
	// Load returns what the process before left, and false where it is of no use: see [Hold.Load].
	Load(key HoldKey, now, longest bootclock.Instant) (HoldState, bool)
	// Save writes a hold down: see [Hold.Save].
	Save(key HoldKey, s HoldState) error
}

// HoldKey says whose a hold is. A hold with another key is void: the volume may have been mounted into another pod, or
// the sidecar been given another namespace, Lease or store since.
type HoldKey struct {
	// Namespace and Lease name the Lease, Store says where it lies (see [Config.Store]).
	Namespace string `json:"namespace"`
	Lease     string `json:"lease"`
	Store     string `json:"store"`
	// Identity is the candidate's.
	Identity string `json:"identity"`
}

// fileID is what the kernel says of the hold file itself. A copy of it is another file, and void.
type fileID struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// holdSize is the hold file's length: always one page, so that writing it anew needs no more room than it has.
const holdSize = 4096

// holdRecord is the file's content: the state, whose it is, in which file, on which clock.
type holdRecord struct {
	BootID string `json:"bootID"`
	HoldKey
	fileID
	HoldState
}

// encodeHold renders a hold: a checksum, a space, JSON, spaces, a newline. A mix of two holds does not have the checksum.
func encodeHold(r holdRecord) ([]byte, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the hold: %w", err)
	}
	const frame = len("00000000 \n")
	if len(doc) > holdSize-frame {
		return nil, fmt.Errorf("encode the hold: %d bytes, want at most %d", len(doc), holdSize-frame)
	}
	body := fmt.Sprintf("%-*s", holdSize-frame, doc)
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE([]byte(body)), body), nil
}

// decodeHold reads what encodeHold wrote. It answers false for what is torn, too long or incomplete, of another boot (whose
// clock means nothing here), of another candidate, or copied from another file.
func decodeHold(b []byte, bootID string, key HoldKey, file fileID) (HoldState, bool) {
	line, rest, whole := strings.Cut(string(b), "\n")
	sum, doc, ok := strings.Cut(line, " ")
	if !whole || rest != "" || !ok || sum != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(doc))) {
		return HoldState{}, false
	}
	var r holdRecord
	switch err := json.Unmarshal([]byte(doc), &r); {
	case err != nil:
	case bootID == "" || r.BootID != bootID:
	case r.HoldKey != key:
	case r.fileID != file: // a copy
	case !r.whole():
	default:
		return r.HoldState, true
	}
	return HoldState{}, false
}

// whole reports whether a term that may be resumed has all that makes one.
func (h HoldState) whole() bool {
	_, err := lease.ParseVersion(h.Token)
	return !h.Leading || err == nil && h.UID != "" && !h.AcquireTime.IsZero() && !h.Since.IsZero() &&
		h.Transitions >= 0 && h.ValidUntil > 0
}
