//go:build unix

package file

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// setTime sets the file's times through its descriptor, so that no name can be swapped underneath. It rounds down
// to microseconds: a deadline must not move out. Times before 1970 count as 1970, as the conversion would wrap.
func setTime(file *os.File, t time.Time) error {
	if t.Unix() < 0 {
		t = time.Unix(0, 0)
	}
	at := unix.NsecToTimeval(t.UnixMicro() * int64(time.Microsecond))
	return unix.Futimes(int(file.Fd()), []unix.Timeval{at, at})
}
