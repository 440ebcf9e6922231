package leadership

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// DocumentMax bounds a document, in bytes: some thirty times the size of a real one.
const DocumentMax = 16 << 10

// document is the JSON form of a [Leadership], in the file, over HTTP, in events and webhooks. The order of its fields is part
// of the contract. Pointers distinguish an absent field from an empty one.
type document struct {
	Lease       *string `json:"lease"`
	Namespace   *string `json:"namespace"`
	Identity    *string `json:"identity"`
	IsLeader    *bool   `json:"isLeader"`
	Leader      *string `json:"leader"`
	Token       *string `json:"token"`
	Transitions *int64  `json:"transitions"`
	Since       *stamp  `json:"since"`
	ValidUntil  *stamp  `json:"validUntil"`
	// A string, as JavaScript's numbers lose the nanoseconds of a machine that is up for long.
	ValidUntilBoottime *string `json:"validUntilBoottimeNs"`
	BootID             *string `json:"bootID"`
}

// stamp is a wall-clock time in whole milliseconds of UTC, rounded down: a deadline must not move out.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000Z"

// MarshalText prints the time, such as 2026-11-22T10:00:00.123Z.
func (s stamp) MarshalText() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, stampLayout), nil
}

// UnmarshalText reads any RFC 3339 time.
func (s *stamp) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339, string(b))
	*s = stamp(t)
	return err
}

// MarshalJSON prints the leadership document on one line, without judging it: use [Leadership.At] first.
func (l Leadership) MarshalJSON() ([]byte, error) {
	d := document{
		Lease: &l.Lease, Namespace: &l.Namespace, Identity: &l.Identity,
		IsLeader: &l.IsLeader, Leader: &l.Leader, Token: &l.Token, Transitions: &l.Transitions,
		Since: stampOf(l.Since), ValidUntil: stampOf(l.ValidUntilWall), BootID: &l.BootID,
	}
	if !l.ValidUntil.IsZero() {
		d.ValidUntilBoottime = new(l.ValidUntil.String())
	}
	return json.Marshal(d)
}

func stampOf(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	return new(stamp(t))
}

// UnmarshalJSON reads a leadership document. It refuses one that is larger than [DocumentMax], lacks a field (three may be null),
// or contradicts itself. It ignores unknown fields, so that a newer sidecar can serve an older reader.
func (l *Leadership) UnmarshalJSON(b []byte) error {
	if len(b) > DocumentMax {
		return fmt.Errorf("read leadership document: %d bytes, at most %d", len(b), DocumentMax)
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("read leadership document: %w", err)
	}
	read, err := d.leadership()
	if err != nil {
		return fmt.Errorf("read leadership document: %w", err)
	}
	*l = read
	return nil
}

func (d document) leadership() (Leadership, error) {
	if d.Lease == nil || d.Namespace == nil || d.Identity == nil || d.IsLeader == nil || d.Leader == nil ||
		d.Token == nil || d.Transitions == nil || d.BootID == nil {
		return Leadership{}, errors.New("a field is missing")
	}
	l := Leadership{
		Lease: *d.Lease, Namespace: *d.Namespace, Identity: *d.Identity,
		IsLeader: *d.IsLeader, Leader: *d.Leader, Token: *d.Token, Transitions: *d.Transitions, BootID: *d.BootID,
	}
	if d.Since != nil {
		l.Since = time.Time(*d.Since)
	}
	if d.ValidUntil != nil {
		l.ValidUntilWall = time.Time(*d.ValidUntil)
	}
	if d.ValidUntilBoottime != nil {
		until, err := bootclock.Parse(*d.ValidUntilBoottime)
		if err != nil {
			return Leadership{}, err
		}
		l.ValidUntil = until
	}
	return l, l.consistent()
}

// consistent refuses what no sidecar writes.
func (l Leadership) consistent() error {
	switch {
	case strings.Trim(l.Token, "0123456789") != "":
		return fmt.Errorf("token %q is not a decimal number", l.Token)
	case l.Transitions < 0:
		return fmt.Errorf("%d transitions", l.Transitions)
	case l.ValidUntil.IsZero() != l.ValidUntilWall.IsZero():
		return errors.New("one of the two deadlines is missing")
	case l.IsLeader && (l.Token == "" || l.ValidUntil.IsZero() || l.Since.IsZero() || l.BootID == ""):
		return errors.New("a leader without token, since, validUntil or bootID")
	case !l.IsLeader && (l.Token != "" || !l.Since.IsZero()):
		return errors.New("a token or a term without leadership")
	}
	return nil
}
