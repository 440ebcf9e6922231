package httpapi

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// setSocketMode sets the mode of what the path names, and of nothing behind a link put there meanwhile.
func setSocketMode(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), socketMode)
}
