//go:build unix

package httpapi

import (
	"errors"
	"syscall"
)

// noIPv6 reports whether an attempt to bind ::1 failed because this machine has no such address.
func noIPv6(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT)
}
