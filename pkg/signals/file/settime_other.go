//go:build !unix

package file

import (
	"os"
	"time"
)

// setTime sets the file's times by its name, as this system has no other way in Go's library.
func setTime(file *os.File, t time.Time) error { return os.Chtimes(file.Name(), t, t) }
