//go:build linux

package dir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Store is a Lease in a directory.
type Store struct {
	files           files
	namespace, name string
	log             *slog.Logger

	mu   sync.Mutex
	seen ledger // the newest that this process knows, should the file be lost
}

var _ lease.Store = (*Store)(nil)

// New returns a Store on the Lease of that namespace and name in the directory path, which it makes where it is missing. It
// fails, and says how to fix it, where the directory is not writable or on a network. A namespace or name that Kubernetes
// would refuse is a [*field.Error]. log takes what no caller would learn of otherwise.
func New(path, namespace, name string, log *slog.Logger) (*Store, error) {
	if err := naming.ValidateNamespace(namespace); err != nil {
		return nil, err
	}
	if _, err := naming.ParseLeaseName(name); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the directory of the store: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the store: %w: make it yourself, or name another directory", err)
	}
	var medium unix.Statfs_t
	if err := unix.Statfs(path, &medium); err != nil {
		return nil, fmt.Errorf("look at the store's directory %s: %w", path, err)
	}
	if err := judgeMedium(int64(medium.Type), path, log); err != nil {
		return nil, err
	}
	s := &Store{files: newFiles(path, namespace, name), namespace: namespace, name: name, log: log}
	lock, err := s.files.tryLock()
	if err == nil {
		_ = lock.Close()
	} else if !errors.Is(err, errBusy) { // somebody else at work shows that the directory is fine
		return nil, err
	}
	return s, nil
}

// Get implements [lease.Store].
func (s *Store) Get(ctx context.Context) (lease.Record, error) {
	return s.decide(ctx, "read", func(l ledger) (*coordinationv1.Lease, error) {
		if l.Present == nil {
			return nil, lease.ErrNotFound
		}
		return l.Present, nil
	})
}

// Create implements [lease.Store].
func (s *Store) Create(ctx context.Context, r lease.Record) (lease.Record, error) {
	return s.decide(ctx, "create", func(l ledger) (*coordinationv1.Lease, error) {
		if l.Present != nil {
			return nil, lease.ErrExists
		}
		return cas.Create(r, s.namespace, s.name, cas.Next(l.Version), time.Now())
	})
}

// Update implements [lease.Store].
func (s *Store) Update(ctx context.Context, r lease.Record) (lease.Record, error) {
	return s.decide(ctx, "update", func(l ledger) (*coordinationv1.Lease, error) {
		return cas.Update(l.Present, r, cas.Next(l.Version))
	})
}

// decide runs one read, compare and write: choose sees the state, and returns the object to store. It answers once that is safe
// on disk; others may see it a moment before.
func (s *Store) decide(ctx context.Context, verb string, choose func(ledger) (*coordinationv1.Lease, error)) (lease.Record, error) {
	var o *coordinationv1.Lease
	var refused error
	wrote := false
	err := s.locked(ctx, func(state ledger) error {
		if o, refused = choose(state); refused != nil || o == state.Present {
			return nil
		}
		wrote = true
		return s.store(state.with(o), state.Present)
	})
	if err == nil && wrote {
		err = s.files.sync()
	}
	if err != nil {
		return lease.Record{}, fmt.Errorf("%s the Lease: %w", verb, err)
	}
	if refused != nil {
		return lease.Record{}, refused
	}
	return lease.FromObject(o)
}

// locked calls do with the state while it holds the lock.
func (s *Store) locked(ctx context.Context, do func(ledger) error) error {
	return s.withLock(ctx, func() error {
		state, err := s.read()
		if err != nil {
			return err
		}
		return do(state)
	})
}

func (s *Store) withLock(ctx context.Context, do func() error) error {
	lock, err := s.files.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	return do()
}

// read reads the state, and writes down what was done to the file by hand since. The caller holds the lock.
func (s *Store) read() (ledger, error) {
	written, err := s.files.readLedger()
	if err != nil {
		s.log.Warn("ledger of the Lease is lost, going on from the Lease itself", "reason", "LedgerLost", "error", err)
	}
	known := s.newest(written)
	o, err := s.files.readLease(s.namespace, s.name)
	if err != nil {
		return ledger{}, err
	}
	state := known.accountFor(o)
	if state.Version != written.Version {
		return state, s.store(state, o)
	}
	s.note(state)
	return state, nil
}

// newest returns the newer of two ledgers, as somebody may have removed the written one, or put an older one back.
func (s *Store) newest(written ledger) ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	if written.Version.Compare(s.seen.Version) < 0 {
		return s.seen
	}
	return written
}

// store writes the state down: the Lease first, unless it is there already, then the ledger. A process that dies in between
// leaves a Lease with a higher version than the ledger's, which the next one takes as written.
func (s *Store) store(state ledger, there *coordinationv1.Lease) error {
	if state.Present != nil && (there == nil || !cas.Same(there, state.Present)) {
		if err := s.files.replace(s.files.lease, state.Present); err != nil {
			return err
		}
	}
	if err := s.files.replace(s.files.ledger, state); err != nil {
		return err
	}
	s.note(state)
	return nil
}

func (s *Store) note(state ledger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state.Version.Compare(s.seen.Version) > 0 {
		s.seen = state
	}
}

// networked are the file systems that machines may share: locks may not reach the others, and renames are seen late. The numbers
// are the kernel's (statfs(2)).
var networked = map[int64]string{
	unix.NFS_SUPER_MAGIC:   "NFS",
	unix.SMB_SUPER_MAGIC:   "SMB",
	unix.SMB2_SUPER_MAGIC:  "SMB2",
	unix.CIFS_SUPER_MAGIC:  "CIFS",
	unix.CEPH_SUPER_MAGIC:  "Ceph",
	unix.AFS_SUPER_MAGIC:   "AFS",
	unix.CODA_SUPER_MAGIC:  "Coda",
	unix.OCFS2_SUPER_MAGIC: "OCFS2",
}

// doubtful are file systems that may be either: a host's directory shown to a desktop's containers, or a network.
var doubtful = map[int64]string{unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9P"}

// judgeMedium fails where the directory is on a network, and warns where it may be.
func judgeMedium(kind int64, path string, log *slog.Logger) error {
	if name, ok := networked[kind]; ok {
		return fmt.Errorf("the store's directory %s is on %s, and a directory can elect among the processes of one machine only: "+
			"name a local directory, or keep the Lease in the Kubernetes API", path, name)
	}
	if name, ok := doubtful[kind]; ok {
		log.Warn("store's directory may be shared by several machines: two would then elect a leader each",
			"reason", "SharedDirectory", "path", path, "file_system", name)
	}
	return nil
}
