package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
)

// bind opens the address's sockets. With 127.0.0.1 it also binds ::1 on the same port: programs that resolve "localhost" may
// try either, and must not reach another program.
func bind(a address.Address) ([]net.Listener, error) {
	if a.Path != "" {
		return one(listenUnix(a.Path))
	}
	if a.Host != "127.0.0.1" {
		return one(net.Listen("tcp", net.JoinHostPort(a.Host, a.Port)))
	}
	// A free port of one family may be taken in the other. Then try another.
	const attempts = 10
	for attempt := 1; ; attempt++ {
		both, err := bindLoopback(a.Port)
		if err == nil || a.Port != "0" || attempt == attempts {
			return both, err
		}
	}
}

func bindLoopback(port string) ([]net.Listener, error) {
	four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	_, port, err = net.SplitHostPort(four.Addr().String())
	if err != nil {
		return nil, errors.Join(err, four.Close())
	}
	six, err := net.Listen("tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case noIPv6(err):
		return []net.Listener{four}, nil
	}
	return nil, errors.Join(err, four.Close())
}

func one(l net.Listener, err error) ([]net.Listener, error) {
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

// noIPv6 reports whether binding ::1 failed because this machine has no IPv6.
func noIPv6(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT)
}

// socketMode admits only the owner and the pod's group (fsGroup).
const socketMode = 0o660

// listenUnix binds a unix socket, in place of one that a dead process left.
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

// clearSocket removes a socket that nobody listens on, and nothing else.
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

// setSocketMode sets the mode of the socket itself. It follows no link that replaced it.
func setSocketMode(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), socketMode)
}

// bindHint returns how to fix an address that cannot be bound, in brackets; "" if unknown.
func bindHint(a address.Address, err error) string {
	var hint string
	port, _ := strconv.Atoi(a.Port) // 0 for a unix socket
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another process listens there: end it, or choose another port; with hostNetwork the pods of a node share their ports: use unix:PATH"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "no interface here has that address: use 127.0.0.1:PORT, :PORT or unix:PATH"
	case errors.Is(err, syscall.EACCES) && port > 0 && port < 1024:
		hint = "a port below 1024 needs privileges: choose a higher one"
	case errors.Is(err, fs.ErrPermission) && a.Path != "", errors.Is(err, syscall.EROFS):
		hint = "this user may not write there: choose another directory, or mount it writable"
	case errors.Is(err, fs.ErrNotExist) && a.Path != "":
		hint = "make the directory first, or mount the volume there"
	}
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}
