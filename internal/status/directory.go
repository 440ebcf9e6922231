package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

const (
	// lookInterval is how often a directory is read. A change is seen that much late at most.
	lookInterval = 100 * time.Millisecond
	// largestFile bounds what is read of a file, in bytes, and mostFiles how many are read: the store's own bounds, and more than one machine runs.
	largestFile = 3 << 19
	mostFiles   = 10_000
)

// Directory is the Leases in the directory of a store. It is read, never written or locked, on any operating system.
type Directory struct {
	// Path is the directory.
	Path string
	// Namespace is the namespace to show; "" for all.
	Namespace string
	// Clock paces the looks at it.
	Clock bootclock.Clock
	// Warn takes a file that cannot be read.
	Warn func(error)
}

// List implements [Source]. The version is always "": Watch compares with what List reads first.
func (d Directory) List(context.Context) ([]coordinationv1.Lease, lease.Version, error) {
	all, faults, err := d.read()
	for _, fault := range faults {
		d.Warn(fault)
	}
	return all, "", err
}

// Watch implements [Source]: it reads the directory again and again. What changed before its first look is delivered as a change.
func (d Directory) Watch(ctx context.Context, _ lease.Version, deliver func(kube.Change)) error {
	var before map[key]*coordinationv1.Lease
	for {
		all, _, err := d.read() // a file that is half written by hand is whole at the next look
		if err != nil {
			return err
		}
		now := map[key]*coordinationv1.Lease{}
		for i := range all {
			o := &all[i]
			now[keyOf(o)] = o
			if was, known := before[keyOf(o)]; !known || !sameState(was, o) {
				deliver(kube.Change{Lease: o.DeepCopy()})
			}
		}
		for k, o := range before {
			if now[k] == nil {
				deliver(kube.Change{Lease: o, Deleted: true})
			}
		}
		before = now
		deliver(kube.Change{})
		if err := bootclock.Sleep(ctx, d.Clock, lookInterval); err != nil {
			return err
		}
	}
}

// read reads every Lease, and returns a fault for each file that holds none.
func (d Directory) read() (all []coordinationv1.Lease, faults []error, err error) {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the directory of the store: %w", err)
	}
	for _, entry := range entries {
		name, ours := strings.CutSuffix(entry.Name(), ".json")
		if !ours || strings.HasPrefix(name, ".") {
			continue
		}
		if len(all)+len(faults) == mostFiles {
			return all, append(faults, fmt.Errorf("%s: more than %d files: the others are not shown", d.Path, mostFiles)), nil
		}
		o, err := readFile(filepath.Join(d.Path, entry.Name()), name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
		case err != nil:
			faults = append(faults, err)
		case d.Namespace == "" || o.Namespace == d.Namespace:
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b coordinationv1.Lease) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return all, faults, nil
}

// readFile reads one Lease. One without names has them from the file: NAMESPACE.NAME.json.
func readFile(path, name string) (o coordinationv1.Lease, err error) {
	info, err := os.Lstat(path) // opening a pipe would hang, and a link could lead anywhere
	if err != nil {
		return o, fmt.Errorf("look at the file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return o, fmt.Errorf("read %s: not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return o, fmt.Errorf("open the file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	if err != nil {
		return o, fmt.Errorf("read the file: %w", err)
	}
	if len(data) > largestFile {
		return o, fmt.Errorf("read %s: longer than %d bytes", path, largestFile)
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fmt.Errorf("read %s: not a Lease in JSON: %w", path, err)
	}
	if o.Kind != "Lease" {
		return o, fmt.Errorf("read %s: kind %.40q, want a Lease", path, o.Kind)
	}
	if o.Name == "" && o.Namespace == "" {
		o.Namespace, o.Name, _ = strings.Cut(name, ".")
	}
	return o, nil
}
