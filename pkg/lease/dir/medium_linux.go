package dir

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
)

// networked are the file systems that several machines may share: there, locks may not reach the others, and a
// rename is seen late. The numbers are the kernel's (statfs(2)).
var networked = map[int64]string{
	unix.NFS_SUPER_MAGIC:   "NFS",
	unix.SMB_SUPER_MAGIC:   "SMB",
	unix.SMB2_SUPER_MAGIC:  "SMB2",
	unix.CIFS_SUPER_MAGIC:  "CIFS",
	unix.CEPH_SUPER_MAGIC:  "Ceph",
	unix.AFS_SUPER_MAGIC:   "AFS",
	unix.CODA_SUPER_MAGIC:  "Coda",
	unix.OCFS2_SUPER_MAGIC: "OCFS2",
}

// doubtful are those that may be either: a desktop's way to show a host's directory to its containers, or a
// network.
var doubtful = map[int64]string{
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.V9FS_MAGIC:       "9P",
}

// refuseNetwork fails where the directory is on a network, and warns where it may be.
func refuseNetwork(path string, log *slog.Logger) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return fmt.Errorf("look at the store's directory %s: %w", path, err)
	}
	return judgeMedium(int64(fs.Type), path, log)
}

func judgeMedium(kind int64, path string, log *slog.Logger) error {
	if name, ok := networked[kind]; ok {
		return fmt.Errorf("the store's directory %s is on %s, and a directory can elect among the processes of one machine only: "+
			"name a local one with --store dir:PATH, or use --store kube", path, name)
	}
	if name, ok := doubtful[kind]; ok {
		log.Warn("store's directory may be shared by several machines: two would then elect a leader each",
			slog.String("path", path), slog.String("file_system", name))
	}
	return nil
}
