package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// socketMode lets the pod's group in (its fsGroup), and nobody else but the owner.
const socketMode = 0o660

// listenUnix binds a unix socket in place of one that a dead process left.
func listenUnix(path string) (net.Listener, error) {
	if err := clearSocket(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := setSocketMode(path); err != nil {
		return nil, errors.Join(fmt.Errorf("set the permissions of %s: %w", path, err), l.Close())
	}
	return l, nil
}

// clearSocket removes a socket that nobody listens on. It touches nothing else.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket: remove it, or choose another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("another process listens on %s: end it, or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("find out whether anybody listens on %s: %w", path, err)
	}
	return os.Remove(path)
}
