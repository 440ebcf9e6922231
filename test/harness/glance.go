//go:build linux

package harness

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// glance looks at one signal directory again and again. The document is read anew only when the file is another one;
// each look judges it by the clock. A witness of many replicas has no processor for more.
type glance struct {
	dir   string
	clock bootclock.Clock
	seen  stamp
	last  leadership.Leadership
}

// stamp tells a file that was replaced, or written to, from the one before.
type stamp struct {
	inode            uint64
	size             int64
	changed, written unix.Timespec
}

// told returns what an app that reads the directory by the boot clock knows now: leadership and its token.
func (g *glance) told() (bool, string) {
	now, ok := g.stamp()
	if !ok || now != g.seen {
		l, err := leadership.Read(g.dir)
		g.seen, g.last = now, l
		if err != nil {
			g.seen, g.last = stamp{}, leadership.Leadership{}
		}
	}
	l := g.last.At(g.clock.Now())
	return l.IsLeader, l.Token
}

// stamp is taken before the file is read: what is written in between changes the next one.
func (g *glance) stamp() (stamp, bool) {
	var s unix.Stat_t
	if err := unix.Stat(filepath.Join(g.dir, leadership.StateFile), &s); err != nil {
		return stamp{}, false
	}
	return stamp{s.Ino, s.Size, s.Ctim, s.Mtim}, true
}
