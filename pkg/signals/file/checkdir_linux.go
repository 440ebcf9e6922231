package file

import "golang.org/x/sys/unix"

// checkWritable asks the kernel, with the rights that this process acts by. The kernel answers for a read-only mount
// and an immutable directory too, also to root; some sandboxes' access does not, so the mount is asked as well.
func checkWritable(dir string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return err
	}
	var mount unix.Statfs_t
	if err := unix.Statfs(dir, &mount); err != nil {
		return err
	}
	if mount.Flags&unix.ST_RDONLY != 0 {
		return unix.EROFS
	}
	return nil
}
