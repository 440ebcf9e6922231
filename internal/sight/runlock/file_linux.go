package runlock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// fileMode lets containers of any user read, which is all that a shared lock takes.
const fileMode = 0o644

// dir is the signal directory. Names are resolved in the directory that was opened.
type dir struct {
	root *os.Root
	path string
}

// make opens the lock file, or makes it, and reports which. What is there in its place and is no plain file of ours is
// removed: nobody can be seen by it.
func (d dir) make() (_ *os.File, made bool, err error) {
	file, err := d.open(os.O_CREATE | os.O_EXCL)
	if err == nil {
		return file, true, nil
	}
	if file, err = d.open(0); err == nil {
		return file, false, nil
	}
	if removed := d.root.Remove(FileName); removed != nil {
		return nil, false, fmt.Errorf("make %s in signal directory %s: %w", FileName, d.path, errors.Join(err, removed))
	}
	if file, err = d.open(os.O_CREATE | os.O_EXCL); err != nil {
		return nil, false, fmt.Errorf("make %s in signal directory %s: %w", FileName, d.path, err)
	}
	return file, true, nil
}

func (d dir) open(flags int) (*os.File, error) {
	file, err := d.root.OpenFile(FileName, os.O_RDWR|flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, fileMode)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular() || !d.holds(file):
		err = errors.New("it is not a regular file")
	case info.Mode().Perm() != fileMode:
		err = file.Chmod(fileMode) // the umask may have taken the readers' bits
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// holds reports whether the name still stands for the open file.
func (d dir) holds(file *os.File) bool {
	named, err := d.root.Lstat(FileName)
	if err != nil {
		// Where it cannot be told, the file is as good as any; where there is none, it must be made anew.
		return !errors.Is(err, fs.ErrNotExist)
	}
	opened, err := file.Stat()
	return err == nil && os.SameFile(named, opened)
}
