//go:build linux

package dir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

const (
	// keptDeletions is how many deleted members the ledger remembers for watches that have not looked yet.
	keptDeletions = 200
	// mostMembers bounds how many files of members are read.
	mostMembers = 5000
)

// group is the ledger of all members of an election, which count their versions together.
type group struct {
	// Version is the highest that was given out.
	Version lease.Version `json:"resourceVersion"`
	// Forgotten is the highest version of a deletion that the ledger no longer has.
	Forgotten lease.Version `json:"forgotten,omitempty"`
	// Members are the ledgers of the members by name. Their own Version is not used.
	Members map[string]ledger `json:"members,omitempty"`

	torn map[string]error // files that cannot be read, by name
}

// of returns the ledger of one member. It counts on from the group's version.
func (g group) of(name string) ledger {
	l := g.Members[name]
	l.Version = g.Version
	return l
}

// with returns the group with the ledger of one member. It forgets the oldest deletions where there are too many.
func (g group) with(name string, l ledger) group {
	g.Version = l.Version
	l.Version = ""
	g.Members = maps.Clone(g.Members)
	if g.Members == nil {
		g.Members = map[string]ledger{}
	}
	if l.Present == nil && l.Deleted == nil {
		delete(g.Members, name)
		return g
	}
	g.Members[name] = l
	var deleted []string
	for name, l := range g.Members {
		if l.Deleted != nil {
			deleted = append(deleted, name)
		}
	}
	if len(deleted) <= keptDeletions {
		return g
	}
	at := func(name string) lease.Version { return lease.Version(g.Members[name].Deleted.ResourceVersion) }
	slices.SortFunc(deleted, func(a, b string) int { return at(a).Compare(at(b)) })
	for _, name := range deleted[:len(deleted)-keptDeletions] {
		l := g.Members[name]
		g.Forgotten, l.Deleted = at(name), nil
		if g.Members[name] = l; l.Present == nil {
			delete(g.Members, name)
		}
	}
	return g
}

// readGroup reads the group's ledger; the zero group where there is none, or with the error where it cannot be read.
func (m *Members) readGroup() (group, error) {
	path := m.store.files.ledger
	data, err := readAtMost(path, mostMembers*largestMember)
	if data == nil || err != nil {
		return group{}, err
	}
	g := group{}
	if err = json.Unmarshal(data, &g); err == nil {
		err = g.check()
	}
	if err != nil {
		return group{}, fmt.Errorf("read %s: %w", path, err)
	}
	return g, nil
}

// largestMember is what a member takes in the ledger at most, on average, in bytes.
const largestMember = 8 << 10

func (g group) check() error {
	for name := range g.Members {
		if err := g.of(name).check(); err != nil {
			return err
		}
	}
	if g.Version == "" && len(g.Members) == 0 {
		return nil
	}
	_, err := lease.ParseVersion(string(g.Version))
	return err
}

func (m *Members) write(g group) error { return m.store.files.replace(m.store.files.ledger, g) }

// file is the path of a member's file.
func (m *Members) file(name string) string {
	return filepath.Join(m.store.files.dir, naming.FileName(m.namespace+"."+name)+".json")
}

func (m *Members) remove(name string) error {
	if err := os.Remove(m.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m.store.files.refused(err)
	}
	return nil
}

// nameOf returns the name of the member whose file has that base name; "" for other files. The files of two elections' members
// may look alike: the label tells them apart.
func (m *Members) nameOf(base string) string {
	name, ok := strings.CutPrefix(base, m.namespace+".")
	name, isJSON := strings.CutSuffix(name, ".json")
	hash, ours := strings.CutPrefix(name, m.election+"-")
	if ok && isJSON && ours && len(hash) == naming.MemberHashLength && !strings.ContainsAny(hash, "-.") {
		return name
	}
	return ""
}

// names returns the members that have a file.
func (m *Members) names() ([]string, error) {
	entries, err := os.ReadDir(m.store.files.dir)
	if err != nil {
		return nil, fmt.Errorf("look into the store's directory: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name := m.nameOf(entry.Name()); name != "" && len(names) < mostMembers {
			names = append(names, name)
		}
	}
	return names, nil
}

// glimpse is what a look at the files shows of each member's, by base name.
func (m *Members) glimpse() map[string]fs.FileInfo {
	seen := map[string]fs.FileInfo{}
	names, err := m.names()
	if err != nil {
		return nil
	}
	for _, name := range names {
		if info, err := os.Lstat(m.file(name)); err == nil {
			seen[name] = info
		}
	}
	return seen
}

// waitForChange returns when a member's file may have changed, or ctx has ended.
func (m *Members) waitForChange(ctx context.Context, hints *fsnotify.Watcher, before map[string]fs.FileInfo) {
	poll := time.NewTicker(memberPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-hints.Events:
			if e.Name == m.store.files.dir || m.nameOf(filepath.Base(e.Name)) != "" {
				return
			}
		case err := <-hints.Errors:
			m.store.log.Debug("file notifications were lost, looking instead", "error", err)
			return
		case <-poll.C:
			if !maps.EqualFunc(before, m.glimpse(), same) {
				return
			}
		}
	}
}

// memberPoll is the longest that a change of a member goes unseen where inotify misses it. Each poll costs a stat a member.
const memberPoll = 2 * time.Second
