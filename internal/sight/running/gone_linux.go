package running

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitGone returns once the client of a connection whose sending side has ended is gone altogether, or conn is closed. A unix
// socket shows that by itself. Over TCP a client that has gone and one that is half-closed look alike, until something is
// written: the kernel of one that has gone resets the connection then.
func awaitGone(conn net.Conn) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	for gone := false; !gone; {
		if err := raw.Control(func(fd uintptr) { gone = isGone(int(fd)) }); err != nil {
			return
		}
	}
}

// isGone writes an empty line and looks at the socket for a while. A line that finds no room is left out: the client lives
// then, or leaves what it has not read, which resets the connection too.
func isGone(fd int) bool {
	switch _, err := unix.Write(fd, []byte("\n")); {
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
	default:
		return true
	}
	// An end is reported though no event is asked for.
	seen := []unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(seen, int(askHalfClosed.Milliseconds()))
	return err == nil && seen[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}
