package runlock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// fileMode lets containers of any user read, which suffices for a shared lock.
const fileMode = 0o644

// dir is the signal directory. It resolves names in the directory that was opened.
type dir struct{ *os.Root }

// make opens or creates the lock file, and reports which. It removes anything else of that name, which cannot be locked.
func (d dir) make() (_ *os.File, made bool, err error) {
	file, err := d.open(os.O_CREATE | os.O_EXCL)
	if err == nil {
		return file, true, nil
	}
	if file, err = d.open(0); err == nil {
		return file, false, nil
	}
	if removed := d.Remove(fileName); removed != nil {
		err = errors.Join(err, removed)
	} else if file, err = d.open(os.O_CREATE | os.O_EXCL); err == nil {
		return file, true, nil
	}
	return nil, false, fmt.Errorf("make %s in signal directory %s: %w", fileName, d.Name(), err)
}

func (d dir) open(flags int) (*os.File, error) {
	file, err := d.OpenFile(fileName, os.O_RDWR|flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, fileMode)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular() || !d.holds(file):
		err = errors.New("it is not a regular file")
	case info.Mode().Perm() != fileMode:
		err = file.Chmod(fileMode) // the umask may have removed the readers' bits
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// holds reports whether the name still refers to the open file.
func (d dir) holds(file *os.File) bool {
	named, err := d.Lstat(fileName)
	if err != nil {
		// A missing file must be made anew. Any other error says nothing against the open file.
		return !errors.Is(err, fs.ErrNotExist)
	}
	opened, err := file.Stat()
	return err == nil && os.SameFile(named, opened)
}

// opens notices when somebody opens the lock file, which a workload must do before it can lock it. The kernel reports this
// across containers, as they share the file.
type opens struct {
	fd int // of inotify; owned by the file below
	*os.File
}

func newOpens() (*opens, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch who opens %s: %w", fileName, err)
	}
	return &opens{fd: fd, File: os.NewFile(uintptr(fd), "inotify")}, nil
}

// add watches one more file. The watch of a removed file ends by itself.
func (o *opens) add(file *os.File) error {
	return onDescriptor(file, "watch who opens", func(fd uintptr) error {
		_, err := unix.InotifyAddWatch(o.fd, "/proc/self/fd/"+strconv.Itoa(int(fd)), unix.IN_OPEN)
		return err
	})
}

// next returns after events, or with an error once the watch is closed.
func (o *opens) next() error {
	var events [4096]byte
	_, err := o.Read(events[:])
	return err
}

// onDescriptor calls do with the file's descriptor, which stays open meanwhile. doing begins the error's text.
func onDescriptor(file *os.File, doing string, do func(fd uintptr) error) error {
	conn, err := file.SyscallConn()
	if err == nil {
		control := conn.Control(func(fd uintptr) { err = do(fd) })
		err = errors.Join(control, err)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, fileName, err)
	}
	return nil
}
