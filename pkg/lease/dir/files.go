//go:build linux

package dir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// largestFile bounds what is read, in bytes: the API server's own limit for an object.
const largestFile = 3 << 19

// files are the files of one Lease in the store's directory. Only the holder of the lock may write them.
type files struct {
	dir                         string
	lease, ledger, temp, locked string
}

func newFiles(dir, namespace, name string) files {
	in := func(pattern string) string {
		return filepath.Join(dir, fmt.Sprintf(pattern, naming.FileName(namespace+"."+name)))
	}
	return files{dir: dir, lease: in("%s.json"), ledger: in(".%s.ledger.json"), temp: in(".%s.tmp"), locked: in(".%s.lock")}
}

// errTorn: the file is no JSON, or a part of it is missing.
var errTorn = errors.New("not a Lease in JSON")

// readLease reads the Lease; nil where there is no file. A file that is not this Lease is an error: nobody knows who leads.
func (f files) readLease(namespace, name string) (*coordinationv1.Lease, error) {
	data, err := read(f.lease)
	if data == nil || err != nil {
		return nil, err
	}
	o := &coordinationv1.Lease{}
	if err = json.Unmarshal(data, o); err != nil {
		err = fmt.Errorf("%w (%w)", errTorn, err)
	} else {
		err = adopt(o, namespace, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: fix the file, or remove it", f.lease, err)
	}
	return o, nil
}

// adopt checks that o is the Lease with that namespace and name, or gives both to one that has neither.
func adopt(o *coordinationv1.Lease, namespace, name string) error {
	if want := coordinationv1.SchemeGroupVersion.WithKind("Lease"); o.GroupVersionKind() != want {
		return fmt.Errorf("kind %q of API version %q, want %q of %q", o.Kind, o.APIVersion, want.Kind, want.GroupVersion())
	}
	if o.Name == "" && o.Namespace == "" {
		o.Name, o.Namespace = name, namespace
	}
	if o.Name != name || o.Namespace != namespace {
		return fmt.Errorf("it holds the Lease %s/%s, not %s/%s", o.Namespace, o.Name, namespace, name)
	}
	// A time zone can put a time beyond the years that its text can say: such a Lease could never be written again.
	if _, err := cas.Canonical(o.DeepCopy()); err != nil {
		return fmt.Errorf("%w (%w)", errTorn, err)
	}
	return nil
}

// readLedger reads the ledger; the zero ledger where there is none, or with the error where it cannot be read.
func (f files) readLedger() (ledger, error) {
	data, err := read(f.ledger)
	if data == nil || err != nil {
		return ledger{}, err
	}
	l := ledger{}
	if err = json.Unmarshal(data, &l); err == nil {
		err = l.check()
	}
	if err != nil {
		return ledger{}, fmt.Errorf("read %s: %w", f.ledger, err)
	}
	return l, nil
}

// sync makes what was written, and the renames, survive a loss of power. It must not hold the lock: it takes milliseconds, and
// a process that is frozen with the lock holds up the others.
func (f files) sync() error {
	for _, path := range []string{f.lease, f.ledger, f.dir} {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) && path != f.dir {
			continue // deleted since
		}
		if err != nil {
			return fmt.Errorf("open a file to sync it: %w", err)
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("sync %s: %w", path, err)
		}
	}
	return nil
}

// replace writes content to a new file and renames it to path, so that nobody reads half of it. A file already there under the
// temporary name was left by a process that died, as only the lock's holder writes.
func (f files) replace(path string, content any) error {
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	if err := os.Remove(f.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.refused(err)
	}
	temp, err := os.OpenFile(f.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = temp.Write(append(data, '\n'))
		err = errors.Join(err, temp.Chmod(f.mode()), temp.Close())
	}
	if err == nil {
		err = os.Rename(f.temp, path)
	}
	if err != nil {
		return f.refused(err)
	}
	return nil
}

// mode is the files' permission: whoever may read and write the directory may read and write them.
func (f files) mode() fs.FileMode {
	info, err := os.Stat(f.dir)
	if err != nil {
		return 0o600
	}
	return info.Mode().Perm() & 0o666
}

// refused says what to do about a directory that does not take a file.
func (f files) refused(err error) error {
	return fmt.Errorf("write to the store's directory %s: %w: it must be writable for every candidate's user, have space, and not be sticky", f.dir, err)
}

// read reads a file that is no longer than it may be; nil where there is none.
func read(path string) ([]byte, error) { return readAtMost(path, largestFile) }

func readAtMost(path string, most int64) ([]byte, error) {
	info, err := os.Lstat(path) // opening a pipe would hang, and a link could lead anywhere
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file: remove it", path)
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("read %s: longer than %d bytes: fix the file, or remove it", path, most)
	}
	return data, nil
}
