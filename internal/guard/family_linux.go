package guard

import (
	"errors"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// descendants returns the processes below root that have not ended. What starts or ends meanwhile may be missed: look again. A
// descendant cannot leave the tree as long as root is its subreaper.
func descendants(root int) ([]procfs.Process, error) {
	all, err := procfs.Read()
	if err != nil {
		return nil, err
	}
	family := all.Family(root)
	return family[min(1, len(family)):], nil
}

// strikeAll sends a signal to every process, and reports how many of them had not ended.
func strikeAll(all []procfs.Process, s syscall.Signal) (living int, err error) {
	var faults []error
	for _, p := range all {
		switch err := procfs.Send(p.ID, s); {
		case errors.Is(err, procfs.ErrOver):
			continue
		case err != nil:
			faults = append(faults, err)
		}
		living++
	}
	return living, errors.Join(faults...)
}
