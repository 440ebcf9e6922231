//go:build linux

package dir

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
)

// ledger is what the store knows of a Lease beside its file: enough to see edits and deletions by hand, and to go on counting.
type ledger struct {
	// Version is the highest that was given out.
	Version lease.Version `json:"resourceVersion"`
	// Present is the Lease as it was last seen; nil while there is none.
	Present *coordinationv1.Lease `json:"present,omitempty"`
	// Deleted is the Lease deleted last, with the deletion's version; nil where none was.
	Deleted *coordinationv1.Lease `json:"deleted,omitempty"`
}

// check refuses a ledger that no store wrote.
func (l ledger) check() error {
	_, err := lease.ParseVersion(string(l.Version))
	for _, o := range []*coordinationv1.Lease{l.Present, l.Deleted} {
		if o == nil || err != nil {
			continue
		}
		if version := lease.Version(o.ResourceVersion); version.Compare(l.Version) > 0 || o.UID == "" {
			err = fmt.Errorf("the ledger counts to %s and holds version %q of Lease %q", l.Version, version, o.UID)
		}
	}
	return err
}

// with returns the ledger after the Lease was written as o.
func (l ledger) with(o *coordinationv1.Lease) ledger {
	l.Present, l.Version = o, lease.Version(o.ResourceVersion)
	return l
}

// accountFor returns the ledger that accounts for the Lease's file (nil: none). Every difference is a write, and gets a version.
func (l ledger) accountFor(file *coordinationv1.Lease) ledger {
	switch {
	case file == nil && l.Present == nil:
		return l
	case file == nil:
		return l.removed()
	case l.Present != nil && cas.Same(l.Present, file):
		return l
	case l.continuedBy(file):
		return l.with(file)
	case l.Present != nil && file.UID != "" && file.UID != l.Present.UID:
		l = l.removed() // replaced by another
	}
	return l.with(l.renumbered(file))
}

// continuedBy reports whether the file is a write of ours that the ledger lacks, as its process died in between, or it was lost.
func (l ledger) continuedBy(file *coordinationv1.Lease) bool {
	version, err := lease.ParseVersion(file.ResourceVersion)
	if err != nil || version.Compare(l.Version) <= 0 || file.UID == "" {
		return false
	}
	if l.Present == nil {
		return l.Deleted == nil || l.Deleted.UID != file.UID
	}
	return l.Present.UID == file.UID
}

// renumbered returns what a hand wrote under the next version. An edit keeps the UID, whatever the file says. A Lease that was
// absent gets a new one, even where it is the deleted Lease put back.
func (l ledger) renumbered(file *coordinationv1.Lease) *coordinationv1.Lease {
	o := file.DeepCopy()
	o.ResourceVersion = string(cas.Next(l.Version))
	switch {
	case l.Present != nil:
		o.UID = l.Present.UID
	case o.UID == "" || l.Deleted != nil && o.UID == l.Deleted.UID:
		o.UID = uuid.NewUUID()
	}
	return o
}

// removed returns the ledger after the present Lease was deleted.
func (l ledger) removed() ledger {
	l.Version = cas.Next(l.Version)
	l.Deleted = l.Present.DeepCopy()
	l.Deleted.ResourceVersion = string(l.Version)
	l.Present = nil
	return l
}

// since returns what a watch that has seen everything up to from has missed: the last deletion and the present state. Where from
// is "" it returns the present state alone.
func (l ledger) since(from lease.Version) ([]lease.Event, error) {
	var events []lease.Event
	for _, change := range []struct {
		o       *coordinationv1.Lease
		deleted bool
	}{{l.Deleted, true}, {l.Present, false}} {
		if change.o == nil || change.deleted && from == "" || lease.Version(change.o.ResourceVersion).Compare(from) <= 0 {
			continue
		}
		r, err := lease.FromObject(change.o)
		if err != nil {
			return nil, err
		}
		events = append(events, lease.Event{Record: r, Deleted: change.deleted})
	}
	return events, nil
}
