package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// explain strips an error of the system down to its reason, and adds what mends it.
func explain(err error) error {
	reason := err
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		reason = path.Err
	} else if link, ok := errors.AsType[*os.LinkError](err); ok {
		reason = link.Err
	}
	if mend := mend(reason); mend != "" {
		return fmt.Errorf("%w: %s", reason, mend)
	}
	return reason
}

func mend(reason error) string {
	is := func(target error) bool { return errors.Is(reason, target) }
	switch {
	case is(syscall.EROFS):
		return "mount the volume writable for the sidecar (read-only is for the workload's container)"
	case is(syscall.ENOSPC), is(syscall.EDQUOT):
		return "the volume is full: free space, or raise its sizeLimit"
	case is(fs.ErrPermission):
		return fmt.Sprintf("let user %d write there, for example by the pod's fsGroup", os.Getuid())
	case is(syscall.EISDIR), is(syscall.ENOTEMPTY), is(fs.ErrExist):
		return "something else stands in its place: remove it, and keep the directory to the sidecar"
	case is(syscall.ENOTDIR):
		return "it is not a directory: set --signal-dir to one"
	case is(fs.ErrNotExist):
		return "the directory is gone: mount it, or make it, and restart the sidecar"
	}
	return ""
}
