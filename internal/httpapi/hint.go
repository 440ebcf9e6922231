package httpapi

import (
	"errors"
	"io/fs"
	"strconv"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
)

// bindHint returns what to do about an address that cannot be bound, in brackets; "" where nothing is known to help.
func bindHint(a address.Address, err error) string {
	var hint string
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another process listens there: end it, or choose another port; with hostNetwork the pods of a node share their ports: use unix:PATH"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "no interface here has that address: use 127.0.0.1:PORT, :PORT or unix:PATH"
	case errors.Is(err, syscall.EACCES) && a.Path == "" && privileged(a.Port):
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

// privileged reports whether a port is below 1024.
func privileged(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n < 1024
}
