// Package install copies the running program to a file, for an image that has no cp.
//
// It promises to replace a file in one step: whoever runs the old one goes on, and nobody runs half of the new one. It follows
// a symbolic link, and refuses to replace what is no regular file. It does not promise to leave nothing behind when it is
// killed: a part of the copy may stay beside the file, under a hidden name.
package install

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// To copies the running program to path, or into it where that is a directory. Its errors say how to fix what is wrong.
func To(path string) error {
	to, err := target(path)
	if err != nil {
		return fmt.Errorf("install to %q: %w", path, err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("install: find this program: %w", err)
	}
	source, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("install: open this program: %w", err)
	}
	defer source.Close()
	if err := replaceFile(to, source, 0o755); err != nil {
		return fmt.Errorf("install to %q: %w", path, installFix(err))
	}
	return nil
}

// target returns the file to replace for path: in a directory, and behind symbolic links. It refuses what is no regular file:
// a device or a pipe would be lost to whoever uses it.
func target(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "lease-sidecar")
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil // a missing directory shows when it is written to
	case err != nil:
		return "", installFix(err)
	case info.Mode()&fs.ModeSymlink != 0:
		end, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", fmt.Errorf("it is a symbolic link that leads to no file: %w: remove it, or make the file that it leads to", err)
		}
		if info, err = os.Stat(end); err != nil {
			return "", installFix(err)
		}
		path = end
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is a %s, not a regular file: choose another path", path, kindOf(info.Mode()))
	}
	return path, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeDevice != 0:
		return "device"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

// installFix adds how to fix a fault of the file system.
func installFix(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: make the directory first, or mount the volume there", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount the volume writable for this user", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the volume has no room for the program: raise its size limit", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: a part of the path is a file: choose another path", err)
	}
	return err
}

// replaceFile writes a file beside path and renames it into place once it is whole.
func replaceFile(path string, content io.Reader, mode fs.FileMode) (err error) {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"-"+rand.Text())
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	_, err = io.Copy(file, content)
	// Chmod, as the umask has taken bits from the mode.
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
