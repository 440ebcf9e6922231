package file

import (
	"fmt"
	"os"
	"syscall"
)

// CheckDir reports whether files can be made in the directory: it exists, is a directory, and this process may
// write to it. It leaves nothing behind, whatever it finds; errors say the mend. A full volume passes.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = checkWritable(dir)
	}
	if err != nil {
		return fmt.Errorf("use signal directory %s: %w", dir, explain(err))
	}
	return nil
}
