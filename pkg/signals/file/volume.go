//go:build linux

package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// tempPrefix begins the names of unfinished files.
	tempPrefix = ".lease-sidecar-tmp-"
	// fileMode lets containers of any user read.
	fileMode = 0o644
	// maxRead bounds the bytes read from a file that others may have written.
	maxRead = 4 << 10
	// sweepMax bounds the directory entries examined at start.
	sweepMax = 10_000
)

// volume is a directory that others may write to. It resolves names in the directory it opened, even if the path changes.
type volume struct {
	root *os.Root
	path string
}

func openVolume(path string) (*volume, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open signal directory %s: %w", path, withFixAtStart(err))
	}
	return &volume{root: root, path: path}, nil
}

// put writes a temporary file and renames it into place, so that nobody reads half of it. A non-nil allow can forbid the
// rename. A non-zero mtime becomes the file's. The caller closes the returned file.
func (v *volume) put(name string, content []byte, mtime time.Time, allow func() error) (_ *os.File, err error) {
	temp := tempPrefix + name + "-" + rand.Text()
	file, err := v.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if err != nil {
		return nil, v.fault("write", name, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = v.root.Remove(temp) // leftovers are swept at the next start
		}
	}()
	if err := fill(file, content, mtime); err != nil {
		return nil, v.fault("write", name, err)
	}
	if allow != nil {
		if err := allow(); err != nil {
			return nil, err
		}
	}
	if err := v.root.Rename(temp, name); err != nil {
		return nil, v.fault("replace", name, err)
	}
	return file, nil
}

func fill(file *os.File, content []byte, mtime time.Time) error {
	if err := file.Chmod(fileMode); err != nil { // the umask may have removed the readers' bits
		return err
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	if mtime.IsZero() {
		return nil
	}
	return setTime(file, mtime) // last, since writing sets the time
}

// setTime sets the file's times through its descriptor, so that nobody can swap the name. It rounds down to microseconds, as
// a deadline must not move later. Times before 1970 count as 1970: the conversion would wrap.
func setTime(file *os.File, t time.Time) error {
	if t.Unix() < 0 {
		t = time.Unix(0, 0)
	}
	at := unix.NsecToTimeval(t.UnixMicro() * int64(time.Microsecond))
	return unix.Futimes(int(file.Fd()), []unix.Timeval{at, at})
}

// remove removes a file or link, if it exists.
func (v *volume) remove(name string) error {
	if err := v.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return v.fault("remove", name, err)
	}
	return nil
}

// holds reports whether the name still refers to the open file.
func (v *volume) holds(name string, file *os.File) bool {
	if file == nil {
		return false
	}
	named, err := v.root.Lstat(name)
	if err != nil {
		return false
	}
	opened, err := file.Stat()
	return err == nil && os.SameFile(named, opened)
}

// open opens a regular file for reading. It follows no link and does not block on a pipe.
func (v *volume) open(name string) (*os.File, error) {
	file, err := v.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, v.fault("open", name, err)
	}
	// If a link was followed, the name itself is still the link.
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || !v.holds(name, file) {
		_ = file.Close()
		return nil, v.fault("open", name, errors.New("it is not a regular file"))
	}
	return file, nil
}

// read returns the first maxRead bytes of a regular file.
func (v *volume) read(name string) ([]byte, error) {
	file, err := v.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, maxRead))
}

// sweep removes the unfinished files of a dead sidecar.
func (v *volume) sweep() error {
	dir, err := v.root.Open(".")
	if err != nil {
		return fmt.Errorf("list signal directory %s: %w", v.path, withFix(err))
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(sweepMax)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("list signal directory %s: %w", v.path, withFix(err))
	}
	var faults []error
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			faults = append(faults, v.remove(name))
		}
	}
	return errors.Join(faults...)
}

// fault says which operation failed on which file, and how to fix it. It leaves out temporary names, so that the text stays
// the same: an error is logged when it changes.
func (v *volume) fault(verb, name string, err error) error {
	return fmt.Errorf("%s %s in signal directory %s: %w", verb, name, v.path, withFix(err))
}

// withFixAtStart is withFix for a directory that was never open.
func withFixAtStart(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the directory does not exist: make it, or mount the volume there, before the sidecar starts", syscall.ENOENT)
	}
	return withFix(err)
}

// withFix reduces a system error to its reason and adds how to fix it.
func withFix(err error) error {
	reason := err
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		reason = path.Err
	} else if link, ok := errors.AsType[*os.LinkError](err); ok {
		reason = link.Err
	}
	if fix := fixFor(reason); fix != "" {
		return fmt.Errorf("%w: %s", reason, fix)
	}
	return reason
}

func fixFor(reason error) string {
	is := func(target error) bool { return errors.Is(reason, target) }
	switch {
	case is(syscall.EROFS):
		return "mount the volume writable for the sidecar (read-only is for the workload's container)"
	case is(syscall.ENOSPC), is(syscall.EDQUOT):
		return "the volume is full: free space, or raise its sizeLimit"
	case is(fs.ErrPermission):
		return fmt.Sprintf("let user %d write there, for example by the pod's fsGroup", os.Getuid())
	case is(syscall.EISDIR), is(syscall.ENOTEMPTY), is(fs.ErrExist):
		return "something else is in its place: remove it, and keep the directory to the sidecar"
	case is(syscall.ENOTDIR):
		return "it is not a directory: name one"
	case is(fs.ErrNotExist):
		return "the directory is gone: mount it, or make it, and restart the sidecar"
	}
	return ""
}
