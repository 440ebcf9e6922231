package runlock

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// opens tells when somebody opens the lock file, which a workload must do before it can lock it. The kernel sees that
// across containers, as they share the file.
type opens struct {
	fd     int // of inotify; the file below owns it
	events *os.File
}

func newOpens() (*opens, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch for who opens %s: %w", FileName, err)
	}
	return &opens{fd: fd, events: os.NewFile(uintptr(fd), "inotify")}, nil
}

// add watches one more file; a file that is removed needs no end of that.
func (o *opens) add(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	added := error(nil)
	if err := conn.Control(func(fd uintptr) {
		_, added = unix.InotifyAddWatch(o.fd, "/proc/self/fd/"+strconv.Itoa(int(fd)), unix.IN_OPEN)
	}); err != nil {
		return err
	}
	if added != nil {
		return fmt.Errorf("watch for who opens %s: %w", FileName, added)
	}
	return nil
}

// next returns once there were events, or with an error once the watch was closed.
func (o *opens) next() error {
	var events [4096]byte
	_, err := o.events.Read(events[:])
	return err
}

func (o *opens) close() error { return o.events.Close() }
